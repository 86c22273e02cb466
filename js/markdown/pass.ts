/** One reading of the text that is not final, and what an open block makes of it. */
import type { Token } from "marked";
import type { BuildOptions } from "./dom.ts";
import { finalCount, offsets } from "./final.ts";
import { type Links, lex, noLinks } from "./lexer.ts";
import type { References } from "./references.ts";

/** How the parser reads what is not final. It is asked when the tokens are first looked at. */
export class Pass {
  /** What the parser reads. */
  readonly text: string;
  #tokens: readonly Token[] | null = null;
  #starts: readonly number[] = [];
  #found: Links = noLinks();
  #final = 0;

  constructor(
    /** What an open block puts before the tail, so that the parser reads the tail as its continuation. */
    readonly header: string,
    /** What is not final, or as much of it as the parser is given. */
    readonly tail: string,
    /** Where the tail begins in the source. */
    readonly base: number,
    /** Definitions that are final. */
    readonly known: Links,
    /** No more text comes. */
    readonly end: boolean,
  ) {
    this.text = header + tail;
  }

  get tokens(): readonly Token[] {
    this.#tokens ??= this.#read();
    return this.#tokens;
  }

  /** Where each token starts in `text`; the last entry is the end of the last one. */
  get starts(): readonly number[] {
    return this.tokens && this.#starts;
  }

  /** Definitions in `text` that are not final. */
  get found(): Links {
    return this.tokens && this.#found;
  }

  /** The sources of the tokens add up to `text`: positions can be trusted. */
  get isWhole(): boolean {
    return this.starts.at(-1) === this.text.length;
  }

  /** How many leading tokens no later text can change. */
  get final(): number {
    return this.tokens && this.#final;
  }

  /** How much of the tail is before the token at `index`. */
  lengthBefore(index: number): number {
    return Math.max(0, (this.starts[index] ?? this.text.length) - this.header.length);
  }

  #read(): readonly Token[] {
    const { tokens, links } = lex(this.text, this.known, !this.end);
    this.#starts = offsets(tokens);
    this.#found = links;
    const isWhole = this.#starts.at(-1) === this.text.length;
    this.#final = this.end ? tokens.length : isWhole ? finalCount(tokens, this.#starts, this.text) : 0;
    return tokens;
  }
}

/** What an open block did with a pass. */
export interface Taken {
  /** Leading tokens of the pass that are drawn in it. */
  tokens: number;
  /** How much of the tail it needs no more. */
  length: number;
  /** It has ended; what follows is not part of it. */
  closed: boolean;
}

/** A block that is appended to instead of being drawn again. */
export interface OpenBlock {
  /** What is on the page. */
  readonly element: HTMLElement;
  /** What makes a parser read the tail as this block's continuation. */
  readonly header: string;
  /** It is given all of the tail, however long that is, with every step. */
  readonly takesAll: boolean;
  /** Draws what the pass adds. */
  advance(pass: Pass): Taken;
}

/** What blocks need of the answer they are in. */
export interface Site {
  readonly options: BuildOptions;
  readonly references: References;
  /** `element` is final; `render` builds it again from its source, when a definition comes that the source reads. */
  finish(element: HTMLElement, source: string, render: () => HTMLElement | null): void;
}
