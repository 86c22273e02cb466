// What is about several calls: deciding all that wait at once, and the rules that earlier decisions made.

import { button, h, icon, Once, setText, toggleAttribute, visibleText } from "../../core.ts";
import type { Choice, Rule } from "../../protocol.ts";
import type { CallForm } from "./form.ts";
import { Guard } from "./guard.ts";
import { waitingWords } from "./phrases.ts";

/** Until the rules come back without it; a lost message must not leave a dead button. */
const patience_ms = 5000;

export class Tray {
  readonly #all: HTMLElement;
  readonly #words = h("span", { class: "grow" });
  readonly #approve: HTMLButtonElement;
  readonly #deny: HTMLButtonElement;
  readonly #rules = h("ul", { class: "rules", "aria-label": "Rules made by your decisions", hidden: true });
  readonly #guard: Guard;
  readonly #signal: AbortSignal;
  readonly #revoke: (rule: string) => void;
  #forms: readonly CallForm[] = [];
  #rests = false;
  readonly #shownRules = new Once();

  constructor(root: HTMLElement, revoke: (rule: string) => void, signal: AbortSignal) {
    this.#signal = signal;
    this.#revoke = revoke;
    this.#approve = button({}, () => this.#decide("approve"), signal, icon("check"), "Approve all");
    this.#deny = button({}, () => this.#decide("deny"), signal, icon("cross"), "Deny all");
    this.#all = h(
      "div",
      { class: "all", role: "group", "aria-label": "All calls that wait", hidden: true },
      this.#words,
      this.#approve,
      this.#deny,
    );
    root.append(this.#all, this.#rules);
    this.#guard = new Guard(this.#all, signal);
  }

  /** The calls that wait, in order. */
  paint(forms: readonly CallForm[], rules: readonly Rule[]): void {
    // Whoever meant to approve two calls has not seen the third.
    if (forms.some((form) => !this.#forms.includes(form))) {
      this.#guard.arm();
      this.#rests = false;
    }
    this.#forms = forms;
    this.#all.hidden = forms.length < 2;
    this.#paintAll();
    this.#paintRules(rules);
  }

  tick(now_ms: number): void {
    if (this.#all.hidden) return;
    const rests = this.#guard.rests(now_ms);
    if (rests === this.#rests) return;
    this.#rests = rests;
    this.#paintAll();
  }

  has(element: Element): boolean {
    return this.#all.contains(element);
  }

  #paintAll(): void {
    const open = this.#forms.filter((form) => form.open);
    const edited = this.#forms.filter((form) => form.edited).length;
    const held = this.#forms.filter((form) => !form.seen).length;
    setText(this.#words, waitingWords(this.#forms.length, edited, held));
    this.#approve.disabled = open.length === 0 || !open.every((form) => form.valid && form.seen);
    this.#deny.disabled = open.length === 0;
    for (const each of [this.#approve, this.#deny])
      toggleAttribute(each, "aria-disabled", this.#rests || each.disabled ? null : "true");
  }

  /** Each call as its own form stands, bound to its own hash. */
  #decide(verdict: Choice["verdict"]): void {
    if (!this.#guard.rests()) return;
    for (const form of this.#forms) form.decide(verdict);
  }

  #paintRules(rules: readonly Rule[]): void {
    if (!this.#shownRules.isNew(JSON.stringify(rules))) return;
    this.#rules.hidden = rules.length === 0;
    this.#rules.replaceChildren(
      ...rules.map((rule) =>
        h("li", null, h("span", null, visibleText(rule.words)), this.#revokeButton(rule)),
      ),
    );
  }

  #revokeButton(rule: Rule): HTMLButtonElement {
    const revoke: HTMLButtonElement = button(
      { class: "quiet", "aria-label": `Revoke: ${rule.words}` },
      () => {
        if (revoke.getAttribute("aria-disabled")) return;
        this.#revoke(rule.id);
        revoke.setAttribute("aria-disabled", "true");
        setTimeout(() => revoke.removeAttribute("aria-disabled"), patience_ms);
      },
      this.#signal,
      "Revoke",
    );
    return revoke;
  }
}
