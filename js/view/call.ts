// One tool call: its name, where it stands, what it was asked with and what came back.
import type { Call, CallPart, Json, JsonObject, Part } from "../protocol.ts";
import { callChip } from "../words.ts";
import type { Block } from "./block.ts";
import { h, setText } from "./dom.ts";
import { icon } from "./icons.ts";
import { table } from "./table.ts";
import { ValueView, visibleText } from "./values.ts";

export class CallCard implements Block {
  readonly root: HTMLElement;
  readonly #name = h("b");
  readonly #chip = h("span", { class: "chip" });
  readonly #args = h("dl", { class: "args" });
  readonly #none = h("p", { class: "args-none" });
  readonly #rows = new Map<string, { view: ValueView; was: HTMLElement }>();
  readonly #end = h("div", { class: "call-end" });
  #shownChip = "";
  #shownEnd: unknown;

  readonly #signal: AbortSignal;
  readonly #waitsForCaller: () => boolean;

  constructor(
    part: CallPart,
    signal: AbortSignal,
    /** Whether the run has ended and waits for the caller to answer. */
    waitsForCaller: () => boolean,
  ) {
    this.#signal = signal;
    this.#waitsForCaller = waitsForCaller;
    const header = h("header", null, icon("tool"), this.#name, h("span", { class: "grow" }), this.#chip);
    this.root = h("div", { class: "call", role: "group" }, header, this.#args, this.#none, this.#end);
    this.paint(part.call);
  }

  accepts(): boolean {
    return false;
  }

  add(): void {}

  change(part: Part): boolean {
    this.paint((part as CallPart).call);
    return true;
  }

  close(): void {}

  paint(call: Call): void {
    if (this.#name.textContent !== call.name) {
      this.#name.replaceChildren(visibleText(call.name || "(no name)"));
      this.root.setAttribute("aria-label", `Tool call ${call.name}`);
    }
    this.#paintChip(call);
    this.#paintArgs(call.used_args ?? call.args, call.used_args ? call.args : null);
    const growing = call.state === "streaming_args";
    this.#none.hidden = this.#rows.size > 0;
    setText(this.#none, growing ? "No arguments yet" : "No arguments");
    this.#paintEnd(call);
  }

  #paintChip(call: Call): void {
    const { word, icon: name, tone } = callChip(call.state, this.#waitsForCaller());
    if (word === this.#shownChip) return;
    this.#shownChip = word;
    this.#chip.className = `chip ${tone}`;
    this.#chip.replaceChildren(icon(name), word);
  }

  #paintArgs(args: JsonObject, asked: JsonObject | null): void {
    for (const [key, value] of Object.entries(args)) {
      let row = this.#rows.get(key);
      if (!row) {
        row = { view: new ValueView(this.#signal), was: h("div", { class: "was", hidden: true }) };
        this.#rows.set(key, row);
        this.#args.append(h("dt", null, visibleText(key)), h("dd", null, row.view.root, row.was));
      }
      row.view.update(value);
      const changed = asked !== null && JSON.stringify(asked[key]) !== JSON.stringify(value);
      row.was.hidden = !changed;
      if (changed) row.was.replaceChildren("The model asked: ", visibleText(short(asked[key])));
    }
  }

  #paintEnd(call: Call): void {
    const shown = call.error ?? call.result;
    if (shown === this.#shownEnd) return;
    this.#shownEnd = shown;
    this.#end.replaceChildren();
    if (call.error !== null) {
      this.#end.append(h("p", { class: "call-error" }, visibleText(call.error)));
    } else if (call.result !== null && call.result !== undefined) {
      this.#end.append(table(call.result) ?? this.#plain(call.result));
    }
  }

  #plain(value: Json): HTMLElement {
    const view = new ValueView(this.#signal);
    view.update(value);
    return view.root;
  }
}

function short(value: Json | undefined): string {
  const text = typeof value === "string" ? value : (JSON.stringify(value) ?? "nothing");
  return text.length > 120 ? `${text.slice(0, 120)}…` : text;
}
