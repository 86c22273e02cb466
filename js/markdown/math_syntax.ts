/**
 * Where formulas are: `$..$`, `$$..$$`, `\(..\)` and `\[..\]`, as extensions of marked's lexer.
 *
 * `$` follows pandoc's rule: no space after the opening one, none before the closing one, and no digit after it,
 * so that "between $5 and $10" stays a price.
 */
import type { MarkedOptions, TokenizerThis, Tokens } from "marked";
import { MAX_MATH } from "./limits.ts";

export interface MathToken extends Tokens.Generic {
  type: "math" | "math_open";
  raw: string;
  text: string;
  display: boolean;
}

const DOLLARS =
  /^(?:\$\$((?:\\[\s\S]|[^$\\])+?)\$\$|\$(?![\s$])((?:\\[\s\S]|[^$\\])*?(?:\\\S|[^\s$\\]))\$(?![\d$]))/;
const BLOCK_OPEN = /^ {0,3}(\$\$|\\\[)/;

/** True when the text can hold a formula at all; the extensions cost time, so they are left out otherwise. */
export function mayHoldMath(text: string): boolean {
  return text.includes("$") || text.includes("\\(") || text.includes("\\[");
}

/** Where the next `mark` is. Within one run of inline text each question is about a shorter end of the same text. */
class NextMark {
  #known = false;
  #fromEnd = 0;

  readonly #mark: string;

  constructor(mark: string) {
    this.#mark = mark;
  }

  forget(): void {
    this.#known = false;
  }

  /** The position of the mark after the first two characters, or -1. */
  in(text: string): number {
    if (this.#known && this.#fromEnd === 0) return -1;
    if (this.#known && text.length - this.#fromEnd >= 2) return text.length - this.#fromEnd;
    const at = text.indexOf(this.#mark, 2);
    this.#known = true;
    this.#fromEnd = at < 0 ? 0 : text.length - at;
    return at;
  }
}

const roundClose = new NextMark("\\)");
const squareClose = new NextMark("\\]");

/** A lexer that is told whether the text may go on: only then is there a point in waiting for a closing mark. */
export interface HoldsMath {
  readonly holdsMath: boolean;
}

/** To be called where a run of inline text begins, and where the run around it goes on. */
export function newInlineRun(): void {
  roundClose.forget();
  squareClose.forget();
}

/** The formula at the start of the text, if one is there. Looks no further than MAX_MATH. */
function formulaAt(src: string): MathToken | undefined {
  if (src.charCodeAt(0) === 36) {
    const match = DOLLARS.exec(src.slice(0, MAX_MATH));
    if (match === null) return undefined;
    return { type: "math", raw: match[0], text: match[1] ?? match[2] ?? "", display: match[1] !== undefined };
  }
  const open = src.slice(0, 2);
  if (open !== "\\(" && open !== "\\[") return undefined;
  const end = (open === "\\(" ? roundClose : squareClose).in(src);
  if (end < 0 || end > MAX_MATH) return undefined;
  const text = src.slice(2, end);
  if (text.trim() === "") return undefined;
  return { type: "math", raw: src.slice(0, end + 2), text, display: open === "\\[" };
}

function inlineMath(this: TokenizerThis, src: string): MathToken | undefined {
  const first = src.charCodeAt(0);
  return first === 36 || first === 92 ? formulaAt(src) : undefined; // $ or backslash
}

/**
 * A formula on lines of its own, without blank lines.
 * Where the text may go on, one that is not closed yet comes out as `math_open` and takes the rest of the text: its
 * lines may look like list items or rules, and only the closing mark or a blank line tells.
 */
function blockMath(this: TokenizerThis, src: string): MathToken | undefined {
  const open = BLOCK_OPEN.exec(src);
  if (open === null) return undefined;
  const start = open[0].length;
  const close = open[1] === "$$" ? "$$" : "\\]";
  const blank = src.slice(start).search(/\n[ \t]*\n/);
  const limit = blank < 0 ? src.length : start + blank;
  const end = src.indexOf(close, start);
  if (end < 0 || end >= limit) {
    if ((this.lexer as Partial<HoldsMath>).holdsMath !== true) return undefined;
    // One more than the bound: the last character may be half of the closing mark.
    if (blank >= 0 || src.length - start > MAX_MATH + 1) return undefined;
    return { type: "math_open", raw: src, text: src, display: true };
  }
  const line = /^[ \t]*(?:\n|$)/.exec(src.slice(end + 2));
  const text = src.slice(start, end);
  if (line === null || text.trim() === "" || text.length > MAX_MATH) return undefined;
  return { type: "math", raw: src.slice(0, end + 2 + line[0].length), text, display: true };
}

function nextInline(this: TokenizerThis, src: string): number | undefined {
  const at = src.search(/\$|\\[([]/);
  return at < 0 ? undefined : at;
}

function nextBlock(this: TokenizerThis, src: string): number | undefined {
  const at = src.search(/\n {0,3}(?:\$\$|\\\[)/);
  return at < 0 ? undefined : at + 1;
}

/** Emphasis must not pair with `_` or `*` inside a formula; the mask keeps the length. */
function maskMath(src: string): string {
  let masked = "";
  let done = 0;
  for (let at = src.indexOf("$"); at >= 0; at = src.indexOf("$", Math.max(done, at + 1))) {
    const formula = formulaAt(src.slice(at, at + MAX_MATH));
    if (formula === undefined) continue;
    masked += `${src.slice(done, at)}[${"a".repeat(formula.raw.length - 2)}]`;
    done = at + formula.raw.length;
  }
  return masked + src.slice(done);
}

export const mathExtensions: NonNullable<MarkedOptions["extensions"]> = {
  renderers: {},
  childTokens: {},
  inline: [inlineMath],
  block: [blockMath],
  startInline: [nextInline],
  startBlock: [nextBlock],
};

/** marked types this as a whole Hooks object, but reads only what is there. */
export const mathHooks = { emStrongMask: maskMath } as unknown as NonNullable<MarkedOptions["hooks"]>;

/** A formula without its delimiters. */
export function formulaSource(raw: string): string {
  const text = raw.trim();
  const width = text.startsWith("$$") || text.startsWith("\\") ? 2 : 1;
  return text.slice(width, -width);
}
