/** marked's Lexer with bounds: depth, length of formatted text, and no exception ever. */
import { Lexer, type MarkedOptions, type Token, Tokenizer, type Tokens } from "marked";
import { MAX_DEPTH, MAX_INLINE, MAX_MARKS } from "./limits.ts";
import { type HoldsMath, mathExtensions, mathHooks, mayHoldMath, newInlineRun } from "./math_syntax.ts";

/** The links known so far, by normalised label. */
export type Links = Record<string, { href: string; title: string | null | undefined }>;

/** Text that is shown as it came: too deep (`plain`), or beyond the formatted part of a long paragraph (`rest`). */
export interface PlainToken extends Tokens.Generic {
  type: "plain" | "rest";
  raw: string;
  text: string;
}

function plain(raw: string, type: PlainToken["type"] = "plain"): PlainToken {
  return { type, raw, text: raw };
}

/** Where formatted text ends in a paragraph above MAX_INLINE: a function of its first MAX_INLINE characters only. */
export function formattedLength(text: string): number {
  if (text.length <= MAX_INLINE) return text.length;
  const head = text.slice(0, MAX_INLINE);
  const cut = Math.max(head.lastIndexOf("\n"), head.lastIndexOf(" "));
  return cut > MAX_INLINE / 2 ? cut : MAX_INLINE;
}

const UNDERLINE = /\n {0,3}(?:=+|-+)[ \t]*(?:\n|$)/;

class BoundedTokenizer extends Tokenizer {
  /** The last text in which no underline was found; nor is there one in what it ends with. */
  #plainText = "";

  /** marked 18.2.1 looks for an underline from every line of a list item's text to the end of the item. */
  override lheading(src: string): Tokens.Heading | undefined {
    if (this.#plainText.endsWith(src)) return undefined;
    if (UNDERLINE.test(src)) return super.lheading(src);
    this.#plainText = src;
    return undefined;
  }

  /** marked 18.2.1 lets a title run over blank lines, so a definition could change long after its end. */
  override def(src: string): Tokens.Def | undefined {
    if (!/^ {0,3}\[/.test(src)) return undefined;
    const blank = src.search(/\n[ \t]*\n/);
    return super.def(blank < 0 ? src : src.slice(0, blank + 1));
  }
}

function hasManyMarks(text: string): boolean {
  if (text.length < MAX_MARKS) return false;
  const marks = text.slice(0, MAX_INLINE).matchAll(/\*+|_+|~+/g);
  for (let count = 0; !marks.next().done; count++) if (count >= MAX_MARKS) return true;
  return false;
}

class BoundedLexer extends Lexer implements HoldsMath {
  /** The text may go on. */
  growing = false;
  #blockDepth = 0;
  #inlineDepth = 0;

  /** Text inside a container is read again with it, so only the outermost has to wait. */
  get holdsMath(): boolean {
    return this.growing && this.#blockDepth === 1;
  }

  override blockTokens(src: string, tokens: Token[] = [], clipped = false): never {
    if (this.#blockDepth > MAX_DEPTH) {
      tokens.push(plain(src));
      return tokens as never;
    }
    this.#blockDepth++;
    try {
      return super.blockTokens(src, tokens, clipped) as never;
    } finally {
      this.#blockDepth--;
    }
  }

  override inlineTokens(src: string, tokens: Token[] = []): Token[] {
    if (this.#inlineDepth > MAX_DEPTH) {
      tokens.push(plain(src));
      return tokens;
    }
    if (this.#inlineDepth === 0 && hasManyMarks(src)) {
      tokens.push(plain(src));
      return tokens;
    }
    const cut = formattedLength(src);
    this.#inlineDepth++;
    newInlineRun();
    try {
      super.inlineTokens(cut < src.length ? src.slice(0, cut) : src, tokens);
    } finally {
      this.#inlineDepth--;
      newInlineRun();
    }
    if (cut < src.length) tokens.push(plain(src.slice(cut), "rest"));
    return tokens;
  }
}

const MARKERS = /^(?:[ \t]*(?:>|[-+*](?=[ \t])|\d{1,9}[.)](?=[ \t]))){33}/m;
const MARKER_RUN = /^((?:[ \t]*(?:>|[-+*](?=[ \t])|\d{1,9}[.)](?=[ \t]))){32})(.*)$/gm;
const RULE = /^[ \t]*([-*])(?:[ \t]*\1)*[ \t]*$/;

/**
 * Marks beyond the depth cap become look-alikes of the same length, line by line, before the parser sees them:
 * with a continuation line marked reads such a run once per level.
 */
function capMarkers(text: string): string {
  if (!MARKERS.test(text)) return text;
  return text.replace(MARKER_RUN, (line: string, head: string, rest: string) =>
    RULE.test(line)
      ? line
      : head +
        rest.replace(/[>\-+*.)]/g, (mark) => (mark === ">" ? "\u203a" : mark === "-" ? "\u2010" : "\u2024")),
  );
}

const tokenizer = new BoundedTokenizer();
const OPTIONS: MarkedOptions = { gfm: true, tokenizer };
const MATH_OPTIONS: MarkedOptions = { ...OPTIONS, extensions: mathExtensions };
const MASKED_MATH_OPTIONS: MarkedOptions = { ...MATH_OPTIONS, hooks: mathHooks };

function optionsFor(text: string): MarkedOptions {
  if (!mayHoldMath(text)) return OPTIONS;
  // With a hook marked masks every run, also those without emphasis.
  return text.includes("$") && /[*_~]/.test(text) ? MASKED_MATH_OPTIONS : MATH_OPTIONS;
}

export interface LexResult {
  tokens: Token[];
  /** Definitions found in this text, over the ones given. */
  links: Links;
}

/**
 * Tokens whose `raw` add up to the text. `growing` says that more text may follow. A failure inside the parser gives
 * the text back as one plain token.
 */
export function lex(text: string, known: Links, growing = false): LexResult {
  try {
    const lexer = new BoundedLexer({ ...optionsFor(text) });
    lexer.growing = growing;
    Object.assign(lexer.tokens.links, known);
    const tokens = lexer.lex(capMarkers(text));
    return { tokens, links: lexer.tokens.links as Links };
  } catch {
    return { tokens: [plain(text)], links: { ...known } };
  }
}
