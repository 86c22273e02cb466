/** A paragraph above MAX_INLINE that is still open: its head is formatted once, the rest is appended as it comes. */
import type { Token, Tokens } from "marked";
import { appendInline, PlainPieces } from "./inline.ts";

/** A partial line this long is taken as paragraph text without waiting for its end. */
const LONG_LINE = 1_024;

export class OpenParagraph {
  readonly #pieces: PlainPieces;
  #newline = false;
  /** True while what was taken ends inside a line. */
  #midLine = true;

  #shown: HTMLElement;

  constructor(shown: HTMLElement, token: Tokens.Paragraph) {
    this.#shown = shown;
    shown.replaceChildren();
    appendInline(
      shown,
      token.tokens.filter((inner) => (inner as Token).type !== "rest"),
    );
    this.#pieces = new PlainPieces(shown);
  }

  get element(): HTMLElement {
    return this.#shown;
  }

  /** Put before unread text, makes a parser read that text as this paragraph's continuation. */
  get prefix(): string {
    return this.#midLine ? "x" : "x\n";
  }

  /** Appends paragraph source. A line end is kept back: the paragraph's last one is not part of it. */
  append(source: string): void {
    if (source === "") return;
    const text = (this.#newline ? "\n" : "") + source;
    this.#newline = text.endsWith("\n");
    this.#midLine = !this.#newline;
    this.#pieces.append(this.#newline ? text.slice(0, -1) : text);
  }

  /** How much of unread text can be taken before the paragraph's end is known: two lines may still be a table's. */
  settledLength(text: string): number {
    const last = text.lastIndexOf("\n");
    if (text.length - last > LONG_LINE) return text.length;
    const second = last <= 0 ? -1 : text.lastIndexOf("\n", last - 1);
    const third = second <= 0 ? -1 : text.lastIndexOf("\n", second - 1);
    return third + 1;
  }

  /** The paragraph turned out to be a heading: an underline followed. */
  become(name: string): HTMLElement {
    const heading = document.createElement(name);
    heading.append(...Array.from(this.#shown.childNodes));
    this.#shown = heading;
    return heading;
  }
}
