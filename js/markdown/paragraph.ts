/** A paragraph above MAX_INLINE that is still open: its head is formatted once, the rest is appended as it comes. */
import type { Token, Tokens } from "marked";
import { h } from "../dom/dom.ts";
import { appendInline, PlainPieces } from "./inline.ts";
import type { OpenBlock, Pass, Site, Taken } from "./pass.ts";

/** A partial line this long is taken as paragraph text without waiting for its end. */
const LONG_LINE = 1_024;

export class OpenParagraph implements OpenBlock {
  readonly takesAll = true;
  readonly #pieces: PlainPieces;
  readonly #site: Site;
  #newline = false;
  /** True while what was taken ends inside a line. */
  #midLine = true;

  #shown: HTMLElement;

  constructor(shown: HTMLElement, token: Tokens.Paragraph, site: Site) {
    this.#shown = shown;
    this.#site = site;
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

  get header(): string {
    return this.#midLine ? "x" : "x\n";
  }

  advance(pass: Pass): Taken {
    const { tail, end } = pass;
    const first = pass.tokens[0];
    if (!end && pass.final === 0) {
      const length = certainLength(tail.slice(0, pass.lengthBefore(1)));
      this.#append(tail.slice(0, length));
      return { tokens: 0, length, closed: false };
    }
    let length = first === undefined ? tail.length : pass.lengthBefore(1);
    if (first?.type === "heading") {
      const heading = first as Tokens.Heading;
      this.#append(heading.text.slice(this.header.length));
      this.#become(`h${Math.min(6, heading.depth + this.#site.options.headingOffset)}`);
    } else {
      // Anything else can only be the made-up first line read as a table header: its line is paragraph text.
      if (first?.type !== "paragraph") length = tail.indexOf("\n") + 1 || tail.length;
      this.#append(tail.slice(0, length));
    }
    return { tokens: 0, length, closed: true };
  }

  /** Appends paragraph source. A line end is kept back: the paragraph's last one is not part of it. */
  #append(source: string): void {
    if (source === "") return;
    const text = (this.#newline ? "\n" : "") + source;
    this.#newline = text.endsWith("\n");
    this.#midLine = !this.#newline;
    this.#pieces.append(this.#newline ? text.slice(0, -1) : text);
  }

  /** The paragraph turned out to be a heading: an underline followed. */
  #become(name: string): void {
    const heading = h(name as "h1", null, ...Array.from(this.#shown.childNodes));
    this.#shown.replaceWith(heading);
    this.#shown = heading;
  }
}

/** How much of unread text can be taken before the paragraph's end is known: two lines may still be a table's. */
function certainLength(text: string): number {
  const last = text.lastIndexOf("\n");
  if (text.length - last > LONG_LINE) return text.length;
  const second = last <= 0 ? -1 : text.lastIndexOf("\n", last - 1);
  const third = second <= 0 ? -1 : text.lastIndexOf("\n", second - 1);
  return third + 1;
}
