// The form about one call that waits: its arguments to look at and to edit, and the decision.

import { button, h, icon, jsonText, Once, setText, toggleAttribute, visibleText } from "../../core.ts";
import type { Call, Choice, JsonObject, Scope } from "../../protocol.ts";
import type { SentDecision } from "../../source/source.ts";
import { FieldRow } from "./field.ts";
import { Guard } from "./guard.ts";
import { codeWords, deadlineWords, heldWords, ruleWords, scopes } from "./phrases.ts";
import { fieldsOf } from "./schema.ts";

/** Arguments the model left out are folded away when there are more than this. */
const unset_max = 2;
const patience_ms = 10_000;

let rules = 0;

export interface FormHost {
  decide(choice: Choice): void;
  /** The form's arguments changed, or how much of them was in view. */
  changed(): void;
  /** Says one sentence to a screen reader. */
  say(sentence: string): void;
}

export class CallForm {
  readonly root: HTMLElement;
  readonly hash: string;
  readonly #call: Call;
  readonly #host: FormHost;
  readonly #rows: FieldRow[];
  readonly #guard: Guard;
  readonly #approve: HTMLButtonElement;
  readonly #deny: HTMLButtonElement;
  readonly #word = h("span", null, "Approve");
  readonly #reason: HTMLInputElement;
  readonly #scope: HTMLSelectElement;
  readonly #rule = h("p", { class: "facts", hidden: true, id: `gs-rule-${++rules}` });
  readonly #held = h("p", { class: "facts held", id: `gs-held-${rules}`, hidden: true });
  readonly #deadline = h("p", { class: "facts deadline" });
  readonly #message = h("p", { class: "fault message-line", hidden: true });
  #rests = false;
  readonly #shownHeld = new Once();
  #locked = false;
  #sent: SentDecision | undefined;
  #stopping = false;

  constructor(call: Call, hash: string, host: FormHost, signal: AbortSignal) {
    this.#call = call;
    this.hash = hash;
    this.#host = host;
    const onInput = () => this.#changed();
    const root = call.schema ?? {};
    this.#rows = fieldsOf(call.schema, call.args).map((field) => new FieldRow(field, root, onInput, signal));
    const keys = {
      "aria-keyshortcuts": "Control+Enter Meta+Enter",
      title: "Ctrl+Enter or Cmd+Enter, from anywhere in this form",
    };
    this.#approve = button(
      { class: "primary", ...keys },
      () => this.#click("approve"),
      signal,
      icon("check"),
      this.#word,
    );
    this.#deny = button({}, () => this.#click("deny"), signal, icon("cross"), "Deny");
    const reads = "Reason the model will read (optional)";
    this.#reason = h("input", {
      type: "text",
      placeholder: reads,
      "aria-label": `Deny: ${reads}`,
      autocomplete: "off",
    });
    const options = scopes.map(([value, word]) => h("option", { value }, word));
    this.#scope = h(
      "select",
      { "aria-label": "What the decision is about", "aria-describedby": this.#rule.id },
      ...options,
    );
    this.#scope.addEventListener("change", () => this.#paintScope(), { signal });
    const acts = h("div", { class: "acts" }, this.#approve, this.#deny, this.#reason, this.#scope);
    this.#deadline.hidden = typeof call.deadline_s !== "number";
    this.root = h("div", {
      class: "form",
      role: "group",
      tabindex: -1,
      "aria-label": `Approval for ${call.name}`,
    });
    const why = call.error ? h("p", { class: "why" }, visibleText(call.error)) : null;
    if (why) this.root.append(why);
    this.root.append(...this.#fields(signal), acts, this.#held, this.#rule, this.#deadline, this.#message);
    this.root.addEventListener("keydown", (event) => this.#key(event), { signal });
    this.#guard = new Guard(acts, signal);
    this.#changed();
  }

  get edited(): boolean {
    return this.#rows.some((row) => row.edited);
  }

  get valid(): boolean {
    return this.#rows.every((row) => row.fault === null);
  }

  /** Every value has an end that was in view. */
  get seen(): boolean {
    return this.#rows.every((row) => row.seen);
  }

  /** Waits for this page, not for the kernel. */
  get open(): boolean {
    return !this.#locked;
  }

  /** The form came to where it is now. */
  placed(): void {
    this.#guard.arm();
    this.#rests = false;
    for (const row of this.#rows) row.fit();
    this.#paint();
  }

  /** Decides as the form stands; nothing happens where it cannot. */
  decide(verdict: Choice["verdict"]): void {
    if (!this.open || (verdict === "approve" && !(this.valid && this.seen))) return;
    const approve = verdict === "approve";
    this.#host.decide({
      hash: this.hash,
      verdict,
      args: approve && this.edited ? jsonText(this.#args()) : null,
      reason: (!approve && this.#reason.value.trim()) || null,
      scope: this.#scope.value as Scope,
    });
  }

  /** `sent` is the decision on its way, if there is one. */
  update(sent: SentDecision | undefined, stopping: boolean, now_ms = performance.now()): void {
    this.#sent = sent;
    this.#stopping = stopping;
    const waits = sent !== undefined && sent.refused === null && sent.hash === this.hash;
    const late = waits && now_ms - sent.sent_ms > patience_ms;
    this.#lock(stopping || (waits && !late));
    const refused = sent?.refused ?? null;
    const words = late
      ? `The kernel has not answered. Decide again, or in Python: ${codeWords(this.#call)}`
      : refused;
    this.#message.hidden = words === null;
    if (words !== null && this.#message.textContent !== words)
      this.#message.replaceChildren(visibleText(words));
    this.#paint();
  }

  tick(now_ms: number, now_s: number | null): void {
    const { deadline_s } = this.#call;
    if (typeof deadline_s === "number" && now_s !== null)
      setText(this.#deadline, deadlineWords(deadline_s, now_s));
    if (this.#sent?.refused === null) this.update(this.#sent, this.#stopping, now_ms);
    const rests = this.#guard.rests(now_ms);
    if (rests === this.#rests) return;
    this.#rests = rests;
    this.#paint();
  }

  #fields(signal: AbortSignal): HTMLElement[] {
    const unset = this.#rows.filter(({ field }) => field.asked === undefined);
    const folded = unset.length > unset_max ? unset : [];
    const shown = this.#rows.filter((row) => !folded.includes(row));
    const out: HTMLElement[] = [];
    if (shown.length > 0) out.push(grid(shown));
    if (this.#rows.length === 0) out.push(h("p", { class: "args-none" }, "No arguments"));
    if (folded.length === 0) return out;
    const more = h(
      "details",
      { class: "raw" },
      h("summary", null, `${folded.length} more, not set`),
      grid(folded),
    );
    const fit = () => {
      for (const row of this.#rows) row.fit();
    };
    more.addEventListener("toggle", fit, { signal });
    return [...out, more];
  }

  #args(): JsonObject {
    // In the order the model sent them; fromEntries makes "__proto__" a name like any other.
    const asked = Object.keys(this.#call.args);
    const set = this.#rows.filter(({ value }) => value !== undefined);
    const order = ({ field }: FieldRow) => (asked.indexOf(field.name) + 1 || asked.length + 1) - 1;
    return Object.fromEntries(
      set.sort((a, b) => order(a) - order(b)).map(({ field, value }) => [field.name, value!]),
    );
  }

  #click(verdict: Choice["verdict"]): void {
    if (!this.#guard.rests()) return;
    if (verdict === "approve" && !this.seen) this.#host.say(this.#held.textContent ?? "");
    this.decide(verdict);
  }

  #changed(): void {
    this.#paint();
    this.#host.changed();
  }

  #paint(): void {
    const sending = this.#locked && !this.#stopping;
    const approving = sending && this.#sent?.verdict === "approve";
    const denying = sending && this.#sent?.verdict === "deny";
    setText(this.#word, approving ? "Sending…" : this.edited ? "Approve edited" : "Approve");
    setText(this.#deny.lastChild!, denying ? "Sending…" : "Deny");
    this.#approve.disabled = this.#locked || !this.valid;
    this.#deny.disabled = this.#locked;
    this.#paintHeld();
    // Not disabled for a moment of unrest, nor while something is unseen: the keyboard must still reach the reason.
    const { seen } = this;
    for (const each of [this.#approve, this.#deny]) {
      const waits = !this.#rests || (each === this.#approve && !seen);
      toggleAttribute(each, "aria-disabled", waits && !each.disabled ? "true" : null);
    }
  }

  /** The words keep their room once they were needed, so that nothing below them moves when they go. */
  #paintHeld(): void {
    const names = this.#rows.filter((row) => !row.seen).map(({ field }) => field.name);
    const held = names.length > 0;
    toggleAttribute(this.#approve, "aria-describedby", held ? this.#held.id : null);
    toggleAttribute(this.root, "aria-describedby", held ? this.#held.id : null);
    if (held) this.#held.hidden = false;
    if (this.#held.hidden || !this.#shownHeld.isNew(JSON.stringify(names))) return;
    this.#held.classList.toggle("over", !held);
    if (held) this.#held.replaceChildren(visibleText(heldWords(names)));
    else this.#host.say("Every end was in view: Approve is ready.");
  }

  #paintScope(): void {
    const words = ruleWords(this.#call.name, this.#scope.value as Scope);
    this.#rule.hidden = words === "";
    this.#rule.replaceChildren(visibleText(words));
  }

  #lock(locked: boolean): void {
    if (locked === this.#locked) return;
    // A control that is disabled loses the focus to nowhere.
    const active = (this.root.getRootNode() as ShadowRoot | Document).activeElement;
    if (locked && active && active !== this.root && this.root.contains(active))
      this.root.focus({ preventScroll: true });
    this.#locked = locked;
    for (const row of this.#rows) row.lock(locked);
    this.#reason.disabled = locked;
    this.#scope.disabled = locked;
  }

  #key(event: KeyboardEvent): void {
    const target = event.composedPath()[0];
    const typing = target instanceof HTMLElement && /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName);
    const command = event.ctrlKey || event.metaKey;
    // Saving is the notebook's; every other key in a control is the control's.
    if (typing && !(command && event.key.toLowerCase() === "s")) event.stopPropagation();
    if (event.isComposing) return;
    if (event.key === "Enter" && command) {
      event.preventDefault();
      event.stopPropagation();
      if (!event.repeat) this.#click("approve");
    } else if (event.key === "Escape" && typing) {
      event.preventDefault();
      this.root.focus({ preventScroll: true });
    }
  }
}

function grid(rows: readonly FieldRow[]): HTMLElement {
  return h("div", { class: "fields" }, ...rows.flatMap(({ label, cell }) => [label, cell]));
}
