/**
 * Where formulas are: `$..$`, `$$..$$`, `\(..\)` and `\[..\]`, as extensions of marked's lexer.
 *
 * `$` follows pandoc's rule: no space after the opening one, none before the closing one, and no digit after it,
 * so that "between $5 and $10" stays a price. Prices and shells ask for more: no letter or digit before the opening one
 * (100$), no letter, brace or parenthesis after the closing one ($PATH:$HOME, $(a)-$(b)) but for endings ($n$th), no
 * punctuation on the inner side of either where a formula has none, and no amount with words after it.
 */
import type { MarkedOptions, Token, TokenizerThis, Tokens } from "marked";
import { type Ahead, BLANK_LINE, type Reading } from "./ahead.ts";
import { MAX_MATH } from "./limits.ts";

export interface MathToken extends Tokens.Generic {
  type: "math" | "math_open";
  raw: string;
  text: string;
  display: boolean;
}

const DOLLARS =
  /^(?:\$\$(?=[^$]*[\p{L}\p{N}\\])((?:\\[\s\S]|[^$\\])+?)\$\$(?!\$)|\$(?![\s$.,:;!?%/&)\]}'"])((?:\\[\s\S]|[^$\\])*?(?:\\\S|[^\s$\\.,:;!?%/&(["]))\$(?:(?![\w${(])|(?=(?:st|nd|rd|th|s)\b)))/u;
const BLOCK_OPEN = /^ {0,3}(\$\$|\\\[)/;
const OPEN_INLINE = /\$|\\[([]/g;
const OPEN_BLOCK = /\n {0,3}(?:\$\$|\\\[)/g;

/** True when the text can hold a formula at all; the extensions cost time, so they are left out otherwise. */
export function mayHoldMath(text: string): boolean {
  return text.includes("$") || text.includes("\\(") || text.includes("\\[");
}

/** A lexer that knows its text. */
export interface HoldsMath {
  /** The text may go on: only then is there a point in waiting for a closing mark. */
  readonly holdsMath: boolean;
  readonly reading: Reading;
}

/** An amount at one end and words between it and the other dollar, none of them TeX. */
function isPrice(text: string): boolean {
  return /^\d|\s\d[\d.,]*$/.test(text) && /[\s(][a-z]{2,}/i.test(text) && !text.includes("\\");
}

/** The formula in dollars at the start of the text, if one is there. Looks no further than MAX_MATH. */
function dollarsAt(src: string, before = ""): MathToken | undefined {
  const match = /[a-z\d$]/i.test(before) ? null : DOLLARS.exec(src.slice(0, MAX_MATH));
  if (match === null || isPrice(match[2] ?? "")) return undefined;
  return { type: "math", raw: match[0], text: match[1] ?? match[2] ?? "", display: match[1] !== undefined };
}

function bracketsAt(src: string, ahead: Ahead): MathToken | undefined {
  const open = src.slice(0, 2);
  if (open !== "\\(" && open !== "\\[") return undefined;
  const end = ahead.find(open === "\\(" ? "\\)" : "\\]", src, 2);
  if (end < 0 || end > MAX_MATH) return undefined;
  const text = src.slice(2, end);
  if (text.trim() === "") return undefined;
  return { type: "math", raw: src.slice(0, end + 2), text, display: open === "\\[" };
}

function holder({ lexer }: TokenizerThis): HoldsMath {
  return lexer as unknown as HoldsMath;
}

function inlineMath(this: TokenizerThis, src: string, before: readonly Token[]): MathToken | undefined {
  const first = src.charCodeAt(0);
  if (first === 36) return dollarsAt(src, before.at(-1)?.raw.at(-1)); // $
  return first === 92 ? bracketsAt(src, holder(this).reading.ahead) : undefined; // backslash
}

/**
 * A formula on lines of its own, without blank lines.
 * Where the text may go on, one that is not closed yet comes out as `math_open` and takes the rest of the text: its
 * lines may look like list items or rules, and only the closing mark or a blank line tells.
 */
function blockMath(this: TokenizerThis, src: string): MathToken | undefined {
  const { reading, holdsMath } = holder(this);
  return formulaLines(src, reading.ahead, holdsMath);
}

function formulaLines(src: string, ahead: Ahead, holdsMath: boolean): MathToken | undefined {
  const open = BLOCK_OPEN.exec(src);
  if (open === null) return undefined;
  const start = open[0].length;
  const close = open[1] === "$$" ? "$$" : "\\]";
  const blank = ahead.find(BLANK_LINE, src, start);
  const end = ahead.find(close, src, start);
  if (end < 0 || (blank >= 0 && end >= blank)) {
    if (!holdsMath) return undefined;
    // One more than the bound: the last character may be half of the closing mark.
    if (blank >= 0 || src.length - start > MAX_MATH + 1) return undefined;
    return { type: "math_open", raw: src, text: src, display: true };
  }
  const line = /^[ \t]*(?:\n|$)/.exec(src.slice(end + 2));
  const text = src.slice(start, end);
  if (line === null || !/[\p{L}\p{N}\\]/u.test(text) || text.length > MAX_MATH) return undefined;
  return { type: "math", raw: src.slice(0, end + 2 + line[0].length), text, display: true };
}

function nextInline(this: TokenizerThis, src: string): number | undefined {
  const at = holder(this).reading.ahead.find(OPEN_INLINE, src);
  return at < 0 ? undefined : at;
}

function nextBlock(this: TokenizerThis, src: string): number | undefined {
  const { reading, holdsMath } = holder(this);
  const at = reading.ahead.findBy("formula", src, (text) => {
    for (const { index } of text.matchAll(OPEN_BLOCK))
      if (formulaLines(text.slice(index + 1), reading.beyond, holdsMath) !== undefined) return index;
    return -1;
  });
  return at < 0 ? undefined : at + 1;
}

/** Emphasis must not pair with `_` or `*` inside a formula; the mask keeps the length. */
export function maskMath(src: string): string {
  let masked = "";
  let done = 0;
  for (let at = src.indexOf("$"); at >= 0; at = src.indexOf("$", Math.max(done, at + 1))) {
    const formula = dollarsAt(src.slice(at, at + MAX_MATH), src[at - 1]);
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
