// One tool call: its name, where it stands, what it was asked with, who decided and what came back.

import { h, setText } from "../dom/dom.ts";
import { icon } from "../dom/icons.ts";
import { Once } from "../dom/once.ts";
import type { Call, CallPart, Display, Json, Part } from "../protocol.ts";
import { jsonText, same, textOf } from "../state/exact.ts";
import { own } from "../state/values.ts";
import { count } from "../words/formats.ts";
import { callChip } from "../words/phase.ts";
import { decisionWords } from "../words/sentences.ts";
import type { Block } from "./block.ts";
import type { CallSeat, PartContext } from "./context.ts";
import { FileView } from "./file.ts";
import { rawBlock } from "./raw.ts";
import { grid, table } from "./records.ts";
import { shorten, spelled, ValueView, visibleText } from "./values.ts";

const was_max = 120;

export class CallCard implements Block, CallSeat {
  readonly root: HTMLElement;
  readonly slot = h("div", { class: "decide" });
  readonly was = new Map<string, HTMLElement>();
  readonly #name = h("b");
  readonly #doc = h("span", { class: "doc" });
  readonly #chip = h("span", { class: "chip" });
  readonly #args = h("dl", { class: "args" });
  readonly #none = h("p", { class: "args-none" });
  readonly #values = new Map<string, ValueView>();
  readonly #decision = h("p", { class: "decision", hidden: true });
  readonly #printed: ValueView;
  readonly #end = h("div", { class: "call-end" });
  readonly #shownChip = new Once();
  readonly #shownEnd = new Once();

  readonly #signal: AbortSignal;
  readonly #waitsForCaller: () => boolean;

  constructor(
    part: CallPart,
    context: PartContext,
    signal: AbortSignal,
    /** Whether the run has ended and waits for the caller to answer. */
    waitsForCaller: () => boolean,
  ) {
    this.#signal = signal;
    this.#waitsForCaller = waitsForCaller;
    this.#printed = new ValueView(signal, true);
    this.#printed.root.classList.add("call-printed");
    const header = h("header", null, icon("tool"), this.#name, this.#doc, this.#chip);
    this.root = h(
      "div",
      { class: "call", role: "group", tabindex: -1 },
      header,
      this.#args,
      this.#none,
      this.slot,
      this.#decision,
      this.#printed.root,
      this.#end,
    );
    context.seats.set(part.call.id, this);
    this.paint(part.call);
  }

  change(part: Part): boolean {
    this.paint((part as CallPart).call);
    return true;
  }

  paint(call: Call): void {
    if (this.#name.textContent !== call.name) {
      this.#name.replaceChildren(visibleText(call.name || "(no name)"));
      this.root.setAttribute("aria-label", `Tool call ${call.name}`);
    }
    if (call.doc && !this.#doc.firstChild) {
      this.#doc.append(visibleText(call.doc));
      this.#doc.title = spelled(call.doc);
    }
    this.#paintChip(call);
    this.#paintArgs(call);
    const growing = call.state === "streaming_args";
    this.#none.hidden = this.#values.size > 0;
    setText(this.#none, growing ? "No arguments yet" : "No arguments");
    const words = call.decision ? decisionWords(call.decision) : "";
    this.#decision.hidden = words === "";
    if (words && !this.#decision.firstChild) this.#decision.append(visibleText(words));
    if (call.printed) this.#printed.update(call.printed);
    this.#paintEnd(call);
  }

  #paintChip(call: Call): void {
    const { word, icon: name, tone } = callChip(call, this.#waitsForCaller());
    if (!this.#shownChip.isNew(word)) return;
    this.#chip.className = `chip ${tone}`;
    this.#chip.replaceChildren(icon(name), word);
  }

  /** The arguments that ran, where they are known, and under each edited one what the model had asked. */
  #paintArgs({ args, used_args }: Call): void {
    const used = used_args ?? args;
    for (const key of Object.keys({ ...args, ...used })) {
      let view = this.#values.get(key);
      if (!view) {
        view = new ValueView(this.#signal);
        const was = h("div", { class: "was", hidden: true });
        this.#values.set(key, view);
        this.was.set(key, was);
        this.#args.append(h("dt", null, visibleText(key)), h("dd", null, view.root, was));
      }
      const value = own(used, key);
      if (value === undefined) view.none("not set");
      else view.update(value);
      const was = this.was.get(key)!;
      if (!was.hidden || used === args || same(own(args, key), value)) continue;
      was.hidden = false;
      was.append("model asked: ", visibleText(short(own(args, key))));
    }
  }

  #paintEnd(call: Call): void {
    const { state, error, result, display, traceback } = call;
    const key = [state, error, jsonText(result ?? null), display?.kind].join();
    if (!this.#shownEnd.isNew(key)) return;
    this.#end.replaceChildren();
    const put = (...nodes: (Node | null)[]) => this.#end.append(...nodes.filter((node) => node !== null));
    // While a call waits, its error is why its policy asks: the form says it.
    if (error && (state === "failed" || !call.schema))
      put(h("p", { class: "call-error" }, visibleText(error)));
    if (traceback) put(rawBlock("Traceback", traceback, this.#signal, true));
    if (display) put(...this.#display(display, call.name));
    if (result === null || result === undefined || (call.schema ? display === null && error : error)) return;
    // What the card shows of a result need not be what the model reads.
    if (!call.schema) put(table(result) ?? this.#value(result));
    else if (display?.kind !== "text" && display?.kind !== "json")
      put(rawBlock("What the model reads", result, this.#signal));
  }

  #display(display: Display, name: string): Node[] {
    const left = (cut: number, what: string) =>
      cut > 0 ? [h("p", { class: "facts" }, count(cut, `more ${what}`))] : [];
    if (display.kind === "table") {
      const { columns, rows, row_count } = display;
      return [grid(columns, rows), ...left(row_count - rows.length, "row")];
    }
    if (display.kind === "image") {
      const { mime_type, data } = display;
      const image = { mime_type, data, size_bytes: null, uri: null, name: `Image from ${name}`, cut: false };
      return [new FileView(image, this.#signal).root];
    }
    return [this.#value(display.text, true), ...left(display.cut, "character")];
  }

  #value(value: Json, wide = false): HTMLElement {
    const view = new ValueView(this.#signal, wide);
    view.update(value);
    return view.root;
  }
}

function short(value: Json | undefined): string {
  return value === undefined ? "not set" : shorten(textOf(value), was_max);
}
