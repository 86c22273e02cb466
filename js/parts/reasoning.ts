// What the model marked as thought: a quiet block that is open while it grows and closes itself when the answer starts.

import { h, selectionIn, setText } from "../dom/dom.ts";
import { icon } from "../dom/icons.ts";
import type { Part } from "../protocol.ts";
import type { PartChange } from "../state/changes.ts";
import { isReasoning } from "../state/questions.ts";
import { duration } from "../words/formats.ts";
import { type Block, Column } from "./block.ts";
import type { PartContext } from "./context.ts";

export class Reasoning implements Block {
  readonly root: HTMLDetailsElement;
  readonly #label = h("span", null, "Reasoning");
  readonly #body = h("div", { class: "reasoning-body" });
  readonly #column: Column;
  readonly #from_s: number;
  #last: Part;
  #toggled = false;
  #closed = false;

  readonly #context: PartContext;

  constructor(part: Part, context: PartContext, signal: AbortSignal, make: (part: Part) => Block) {
    this.#context = context;
    this.#column = new Column(this.#body, make);
    this.#from_s = part.first_s;
    this.#last = part;
    const summary = h("summary", null, icon("chevron"), this.#label);
    this.root = h("details", { class: "reasoning", open: true }, summary, this.#body);
    // A click is the reader's; our own opening and closing fires no click.
    summary.addEventListener("click", () => (this.#toggled = true), { signal });
    this.#column.add(part);
  }

  get prose(): HTMLElement | undefined {
    return this.#column.last?.prose;
  }

  join(part: Part): boolean {
    if (!isReasoning(part)) return false;
    this.#last = part;
    this.#column.add(part);
    return true;
  }

  change(part: Part, change: PartChange): boolean {
    return this.#column.owner(part)?.change(part, change) ?? false;
  }

  close(next: Part | null): void {
    this.#closed = true;
    this.#column.last?.close?.(next);
    const until_s = next?.first_s ?? this.#last.last_s;
    const took_s = until_s === null ? 0 : until_s - this.#from_s;
    setText(this.#label, took_s >= 0.05 ? `Reasoned for ${duration(took_s)}` : "Reasoned");
    // Reasoning that nothing followed is all there is to read.
    if (!next || this.#toggled) return;
    const fold = () => {
      this.root.open = false;
    };
    if (this.#context.isBuilding()) fold();
    else if (!this.#isBeingRead()) this.#context.room.collapse(fold);
  }

  tick(now_s: number): void {
    if (this.#closed) return;
    setText(this.#label, `Reasoning, ${duration(now_s - this.#from_s)}`);
  }

  /** Text is selected in it, the focus is inside, or the reader scrolled back to it. */
  #isBeingRead(): boolean {
    const { stick } = this.#context;
    if (!stick.stuck && stick.isInView(this.root)) return true;
    const root = this.root.getRootNode() as ShadowRoot | Document;
    if (root.activeElement && this.#body.contains(root.activeElement)) return true;
    const selection = selectionIn(root);
    return selection !== null && this.root.contains(selection);
  }
}
