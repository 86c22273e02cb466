/**
 * Markdown that grows, as blocks on the page. Each block is built once, when its end is certain; what follows is
 * parsed again with every step.
 *
 * A block is final when a later block exists whose first line is complete. Until then one more character can still
 * change it: "1. a\n\n2" reads as a paragraph until ". " comes.
 */

import type { Token, Tokens } from "marked";
import { h } from "../dom/dom.ts";
import { type BuildOptions, buildBlock, buildListShell, buildTableShell } from "./dom.ts";
import { fenceShell, OpenFence } from "./fence.ts";
import type { Flow, PlacedBlock } from "./flow.ts";
import { heldLength } from "./held.ts";
import { lex } from "./lexer.ts";
import { GROWTH, MAX_HELD, MAX_INLINE, MAX_PASS, REPARSE_ABOVE, SLOW_PARSE_MS } from "./limits.ts";
import { finalItems, OpenList } from "./list.ts";
import { OpenParagraph } from "./paragraph.ts";
import { type OpenBlock, Pass, type Site } from "./pass.ts";
import { References } from "./references.ts";
import { finalRows, headerLines, OpenTable } from "./table.ts";

/** Containers whose last child can take text that is not parsed yet. */
const GROWS: ReadonlySet<string> = new Set(["p", "li", "ul", "ol", "blockquote"]);

/** How a block is kept open: its shell is drawn with the others, and becomes the block when it is on the page. */
interface Opening {
  /** Which token of the pass. */
  index: number;
  shell: HTMLElement;
  /** How much of the block's source the shell stands for. */
  length: number;
  open(shell: HTMLElement): OpenBlock;
}

/** What a pass led to. */
type Step = "nothing" | "progress" | "again";

export class Blocks {
  /** What is not final, and where it begins in the source. */
  #tail = "";
  #base = 0;
  #open: OpenBlock | null = null;
  #nextParse = 0;
  /** How much of the tail is drawn as the parser read it. */
  #parsed = 0;
  #unparsed: Text | null = null;

  readonly #flow: Flow;
  readonly #onFinal: (element: HTMLElement) => void;
  readonly #site: Site;

  constructor(flow: Flow, options: BuildOptions, onFinal: (element: HTMLElement) => void) {
    this.#flow = flow;
    this.#onFinal = onFinal;
    const references = new References();
    this.#site = {
      options,
      references,
      finish(element, source, render) {
        references.watch(element, source, render);
        onFinal(element);
      },
    };
  }

  /** Source of what is not final. */
  get unfinished(): string {
    return this.#tail;
  }

  /** Takes more text and draws as far as it goes. With `end`, everything becomes final. */
  write(text: string, end = false): void {
    this.#tail += text;
    while (this.#advance(end)) {
      // Each turn closes or opens a block or makes blocks final; the last one leaves only the tail.
    }
    this.#site.references.resolve(end, this.#onFinal);
  }

  /** One pass over the tail. True when another one can do more. */
  #advance(end: boolean): boolean {
    const takesAll = this.#open?.takesAll ?? false;
    const header = this.#open?.header ?? "";
    const held = end || takesAll ? 0 : Math.min(heldLength(header + this.#tail), this.#tail.length);
    const shown = this.#tail.length - held;
    if (shown === 0 && !(end && this.#open !== null)) return false;
    const isCut = !takesAll && this.#tail.length > MAX_PASS;
    if (!end && !isCut && !takesAll) {
      if (shown <= this.#parsed) return false;
      if (this.#tail.length < this.#nextParse) {
        this.#showUnparsed(shown);
        return false;
      }
    }
    const began = performance.now();
    let step = this.#draw(isCut ? MAX_PASS : shown, end && !isCut);
    if (isCut && step === "nothing") step = this.#draw(cutBefore(this.#tail, MAX_PASS), true);
    const again = step === "again" || isCut;
    const length = header.length + this.#tail.length;
    const slow = length > REPARSE_ABOVE || performance.now() - began > SLOW_PARSE_MS;
    this.#nextParse = slow && !again ? Math.ceil(length * GROWTH) - header.length : 0;
    this.#parsed = again ? 0 : this.#tail.length - held;
    return again;
  }

  /** Draws the first `length` characters of the tail; with `end` nothing after them can change what they are. */
  #draw(length: number, end: boolean): Step {
    const { references } = this.#site;
    const tail = this.#tail.slice(0, length);
    const pass = new Pass(this.#open?.header ?? "", tail, this.#base, references.links, end);
    const taken = this.#open?.advance(pass);
    if (taken?.closed) this.#close();
    if (taken?.tokens === 0) {
      this.#take(taken.length);
      if (taken.closed) return "again";
      return taken.length > 0 ? "progress" : "nothing";
    }
    this.#unparsed = null;
    const next = taken?.tokens ?? 0;
    const { final } = pass;
    references.define(pass.tokens.slice(0, final), pass.found);
    const opening =
      this.#open === null && pass.isWhole && !end ? openingOf(pass, Math.max(final, next), this.#site) : null;
    this.#show(pass, next, opening);
    let done = final > 0 ? pass.lengthBefore(final) : (taken?.length ?? 0);
    if (end) done = length;
    if (opening !== null) {
      this.#open = opening.open(this.#flow.pin());
      done = pass.lengthBefore(opening.index) + opening.length;
    }
    this.#take(done);
    if (opening !== null) return "again";
    return done > 0 ? "progress" : "nothing";
  }

  #take(length: number): void {
    this.#tail = this.#tail.slice(length);
    this.#base += length;
  }

  #close(): void {
    const open = this.#open;
    this.#open = null;
    this.#flow.release();
    // The items and rows of others were finished one by one.
    if (open?.takesAll) this.#onFinal(open.element);
  }

  /** Puts the tokens of a pass from `next` on on the page, and finishes those that are final. */
  #show(pass: Pass, next: number, opening: Opening | null): void {
    const fresh: PlacedBlock[] = [];
    const sources: Token[] = [];
    for (let index = next; index < pass.tokens.length; index++) {
      const token = pass.tokens[index] as Token;
      const isFinal = index < pass.final;
      const element = index === opening?.index ? opening.shell : this.#build(token, isFinal, pass);
      if (element === null) continue;
      fresh.push({ element, start: pass.base + pass.lengthBefore(index) });
      if (isFinal) sources.push(token);
    }
    const shown = this.#flow.show(fresh, sources.length);
    for (const [index, { type, raw }] of sources.entries()) {
      const element = shown[index] as HTMLElement;
      if (type === "code") this.#onFinal(element);
      else this.#site.finish(element, raw, () => this.#rebuild(raw));
    }
  }

  #build(token: Token, isFinal: boolean, pass: Pass): HTMLElement | null {
    const { options, references } = this.#site;
    if (isFinal && references.readsUnknown(token.raw, pass.found)) return this.#rebuild(token.raw);
    return buildBlock(token, options);
  }

  #rebuild(raw: string): HTMLElement | null {
    const { options, references } = this.#site;
    for (const token of lex(raw, references.links).tokens) {
      const element = buildBlock(token, options);
      if (element !== null) return element;
    }
    return null;
  }

  /** Shows what came since the last parse of a large open block as plain text. */
  #showUnparsed(end: number): void {
    if (this.#unparsed === null) {
      let place = this.#flow.growing;
      if (place === null || !GROWS.has(place.localName)) return;
      while (place.lastElementChild instanceof HTMLElement && GROWS.has(place.lastElementChild.localName)) {
        place = place.lastElementChild;
      }
      this.#unparsed = document.createTextNode("");
      place.append(this.#unparsed);
    }
    const text = this.#tail.slice(this.#parsed, end);
    // What has marks in it is awaited, but not for long.
    const mark = text.length > MAX_HELD ? -1 : text.search(/[*_~`[<&$\\|\n]|www\.|:\/\//);
    this.#unparsed.appendData(text.slice(this.#unparsed.length, mark < 0 ? text.length : mark));
  }
}

/** Where to cut a text that is longer than `most`: at the end of a line, else not inside a character. */
function cutBefore(text: string, most: number): number {
  const line = text.lastIndexOf("\n", most - 1) + 1;
  if (line > 0) return line;
  const code = text.charCodeAt(most - 1);
  return code >= 0xd800 && code < 0xdc00 ? most - 1 : most;
}

/** How the first block from the token at `from` on is kept open, when it is of a kind that can be appended to. */
function openingOf(pass: Pass, from: number, site: Site): Opening | null {
  const index = pass.tokens.findIndex((token, at) => at >= from && token.type !== "space");
  const token = pass.tokens[index];
  if (token === undefined) return null;
  const opening = openings[token.type]?.(token, pass.text.slice(pass.starts[index]), pass, site);
  return opening ? { index, ...opening } : null;
}

/** By the type of a token: how it is kept open, given the text from its start on. */
const openings: Readonly<
  Record<string, (token: Token, text: string, pass: Pass, site: Site) => Omit<Opening, "index"> | null>
> = {
  code(token, text) {
    const { codeBlockStyle, lang } = token as Tokens.Code;
    const length = text.indexOf("\n") + 1;
    if (length === 0 || codeBlockStyle === "indented") return null;
    return { shell: fenceShell(lang), length, open: (shell) => new OpenFence(shell, text.slice(0, length)) };
  },
  list(token, text, _, site) {
    const list = token as Tokens.List;
    if (finalItems(list, text).count === 0) return null;
    return { shell: buildListShell(list), length: 0, open: (shell) => new OpenList(shell, site) };
  },
  table(token, text, { found }, site) {
    const table = token as Tokens.Table;
    const header = headerLines(table);
    if (header === null || finalRows(table, header, text).count === 0) return null;
    const open = (shell: HTMLElement) => new OpenTable(shell, header, site, found);
    return { shell: buildTableShell(table).element, length: header.length, open };
  },
  paragraph(token, text, _, site) {
    const paragraph = token as Tokens.Paragraph;
    if (paragraph.text.length <= MAX_INLINE || token.raw.length < text.length) return null;
    const rest = paragraph.tokens.find((inner) => (inner as Token).type === "rest")?.raw.length ?? 0;
    const length = text.length - rest - (token.raw.length - paragraph.text.length);
    const open = (shell: HTMLElement) => new OpenParagraph(shell, paragraph, site);
    return { shell: h("p"), length, open };
  },
};
