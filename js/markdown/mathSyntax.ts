/**
 * Where formulas are: `$..$`, `$$..$$`, `\(..\)` and `\[..\]`, as extensions of marked's lexer.
 *
 * `$` follows pandoc's rule: no space after the opening one, none before the closing one, and no digit after it,
 * so that "between $5 and $10" stays a price.
 */
import type { MarkedOptions, TokenizerThis, Tokens } from "marked";
import { MAX_MATH } from "./limits.js";

export interface MathToken extends Tokens.Generic {
  type: "math" | "math_open";
  raw: string;
  text: string;
  display: boolean;
}

const INLINE =
  /^(?:\$\$((?:\\[\s\S]|[^$\\])+?)\$\$|\$(?![\s$])((?:\\[\s\S]|[^$\\])*?(?:\\\S|[^\s$\\]))\$(?![\d$])|\\\(((?:(?!\\\))[\s\S])+?)\\\)|\\\[((?:(?!\\\])[\s\S])+?)\\\])/;
const INLINE_ANYWHERE = new RegExp(INLINE.source.slice(1), "g");
const BLOCK_OPEN = /^ {0,3}(\$\$|\\\[)/;
const BLANK_LINE = /\n[ \t]*(?:\n|$)/;

/** True when the text can hold a formula at all; the extensions cost time, so they are left out otherwise. */
export function mayHoldMath(text: string): boolean {
  return text.includes("$") || text.includes("\\(") || text.includes("\\[");
}

function inlineMath(this: TokenizerThis, src: string): MathToken | undefined {
  const first = src.charCodeAt(0);
  if (first !== 36 && first !== 92) return undefined; // $ or backslash
  const match = INLINE.exec(src.length > MAX_MATH ? src.slice(0, MAX_MATH) : src);
  if (match === null) return undefined;
  const text = match[1] ?? match[2] ?? match[3] ?? match[4] ?? "";
  if (text.trim() === "" || BLANK_LINE.test(match[0])) return undefined;
  return { type: "math", raw: match[0], text, display: match[1] !== undefined || match[4] !== undefined };
}

/**
 * A formula on lines of its own, without blank lines.
 * One that is not closed yet comes out as `math_open` and takes the rest of the text: its lines may look like list
 * items or rules, and only the closing mark or a blank line tells.
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
    if (blank >= 0 || src.length > MAX_MATH) return undefined;
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
  return src.replace(INLINE_ANYWHERE, (formula) => `[${"a".repeat(formula.length - 2)}]`);
}

export const mathExtensions: MarkedOptions["extensions"] = {
  renderers: {},
  childTokens: {},
  inline: [inlineMath],
  block: [blockMath],
  startInline: [nextInline],
  startBlock: [nextBlock],
};

export const mathHooks = { emStrongMask: maskMath } as unknown as MarkedOptions["hooks"];
