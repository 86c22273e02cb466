/** A fenced code block that is still open: lines are appended and never parsed again. */
import { codeBlock, type FenceRules, fenceRules, LineSpans, languageOf } from "./code.ts";
import { GROWTH } from "./limits.ts";
import type { OpenBlock, Pass, Taken } from "./pass.ts";

/** A partial line that may still become the closing fence is held back. */
const MAYBE_CLOSING = /^ {0,3}[`~]* *$/;

/** Longer partial lines are drawn again only after growing: each time costs their whole length. */
const LONG_LINE = 4_096;

/** An empty code block for an opening line. */
export function fenceShell(info: string | undefined): HTMLElement {
  return codeBlock(languageOf(info)).element;
}

export class OpenFence implements OpenBlock {
  /** Lines are read without the parser. */
  readonly header = "";
  readonly takesAll = true;
  readonly #rules: FenceRules;
  readonly #lines: LineSpans;
  readonly #partial = document.createTextNode("");
  /** What was taken of a line that is not complete. */
  #line = "";

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

  advance({ tail, end }: Pass): Taken {
    const lines: string[] = [];
    let at = 0;
    let closed = false;
    while (!closed) {
      const newline = tail.indexOf("\n", at);
      if (newline < 0) break;
      closed = this.#add(tail.slice(at, newline), lines);
      at = newline + 1;
    }
    const rest = tail.slice(at);
    const isHeld = this.#line === "" && rest.length <= LONG_LINE && MAYBE_CLOSING.test(rest);
    if (!closed && (end || !isHeld)) {
      this.#line += rest;
      at = tail.length;
    }
    if (!closed && end) {
      if (this.#line !== "") this.#add("", lines);
      closed = true;
    }
    this.#lines.append(lines);
    if (closed) this.#partial.remove();
    else this.#showPartial(lines.length > 0);
    return { tokens: 0, length: at, closed };
  }

  /** Ends a line with `rest`. True when it is the closing fence. */
  #add(rest: string, lines: string[]): boolean {
    const line = this.#line + rest;
    this.#line = "";
    if (this.#rules.closes(line)) return true;
    lines.push(this.#rules.strip(line));
    return false;
  }

  #showPartial(fresh: boolean): void {
    const { length } = this.#line;
    if (!fresh && length > LONG_LINE && length < this.#partial.length * GROWTH) return;
    const shown = this.#rules.strip(this.#line);
    if (shown !== this.#partial.data) this.#partial.data = shown;
  }
}
