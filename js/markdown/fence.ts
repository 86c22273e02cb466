/** A fenced code block that is still open: lines are appended and never parsed again. */
import { codeBlock, type FenceRules, fenceRules, LineSpans, languageOf } from "./code.ts";
import { GROWTH } from "./limits.ts";

/** A partial line that may still become the closing fence is held back. */
const MAYBE_CLOSING = /^ {0,3}[`~]* *$/;

/** Longer partial lines are drawn again only after growing: each time costs their whole length. */
const LONG_LINE = 4_096;

/** An empty code block for an opening line. */
export function fenceShell(info: string | undefined): HTMLElement {
  return codeBlock(languageOf(info)).element;
}

export class OpenFence {
  readonly #rules: FenceRules;
  readonly #lines: LineSpans;
  readonly #partial = document.createTextNode("");

  /** `element` is a shell on the page, `opening` the source of the opening line. */
  constructor(
    readonly element: HTMLElement,
    opening: string,
  ) {
    const code = element.querySelector("code");
    const rules = fenceRules(opening);
    if (code === null || rules === null) throw new Error("not a fence");
    this.#rules = rules;
    code.replaceChildren(this.#partial);
    this.#lines = new LineSpans(code, this.#partial);
  }

  /** Takes what it can of `text`; gives the rest, and whether the block has ended. */
  feed(text: string, end: boolean): { rest: string; closed: boolean } {
    const lines: string[] = [];
    let at = 0;
    let closed = false;
    while (!closed) {
      const newline = text.indexOf("\n", at);
      if (newline < 0) break;
      const line = text.slice(at, newline);
      at = newline + 1;
      closed = this.#rules.closing.test(line);
      if (!closed) lines.push(this.#rules.strip(line));
    }
    const rest = text.slice(at);
    if (end && !closed) {
      if (rest !== "" && !this.#rules.closing.test(rest)) lines.push(this.#rules.strip(rest));
      this.#lines.append(lines);
      this.#partial.remove();
      return { rest: "", closed: true };
    }
    this.#lines.append(lines);
    if (closed) this.#partial.remove();
    else this.#showPartial(rest, lines.length > 0);
    return { rest, closed };
  }

  #showPartial(line: string, fresh: boolean): void {
    const shown = MAYBE_CLOSING.test(line) ? "" : this.#rules.strip(line);
    if (!fresh && shown.length > LONG_LINE && shown.length < this.#partial.length * GROWTH) return;
    if (shown !== this.#partial.data) this.#partial.data = shown;
  }
}
