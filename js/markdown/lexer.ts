/** marked's Lexer with bounds: depth, length of formatted text, and no exception ever. */
import { Lexer, type MarkedOptions, type Token, Tokenizer, type Tokens } from "marked";
import { BLANK_LINE, Reading } from "./ahead.ts";
import { CJK, cjkMask } from "./cjk.ts";
import { fenceRules, readFence } from "./code.ts";
import { MAX_DEPTH, MAX_INLINE, MAX_LAZY, MAX_MARKS, MAX_WORD } from "./limits.ts";
import { type HoldsMath, maskMath, mathExtensions, mayHoldMath } from "./math_syntax.ts";

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

/** The underline of a heading, seen from the line end before it. */
const UNDERLINE = /\n {0,3}(?:=+|-+)[ \t]*(?:\n|$)/g;

/** The lines that may stand over an underline: marked 18.2.1's own expression without the underline. */
const HEADING_LINES = headingLines(Lexer.rules.block.gfm.lheading);

function headingLines({ source, flags }: RegExp): RegExp | null {
  const [lines, underline] = source.split("+?)\\n {0,3}(=+|-+)", 2);
  return underline === undefined ? null : new RegExp(`${lines}+)`, flags);
}

/** The second mark of what is struck out, seen from there on. */
const STRUCK_END = /(?<=[^\s~])~~(?!~)/g;

/** An address that is written out. It ends before punctuation of other scripts, quotes, and brackets it does not open. */
const ADDRESS =
  /^(?:https?:\/\/|ftp:\/\/|www\.)(?:[^\s<>"`|[\]\u060c\u061b\u061f\u2018-\u201f\u2026\u3000-\u3004\u3008-\u301f\uff01-\uff65]|\[[^\s[\]]*\])*/i;

const QUOTE_MARK = /^ {0,3}>/;

/** How much of a quote is read as one: up to where a mark comes back after MAX_LAZY stretches of lines without one. */
function quoteLength(src: string): number {
  let lazy = 0;
  let wasMarked = true;
  for (let at = 0; at < src.length; ) {
    const end = src.indexOf("\n", at) + 1 || src.length;
    const line = src.slice(at, end);
    const isMarked = QUOTE_MARK.test(line);
    if (isMarked && !wasMarked && ++lazy > MAX_LAZY) return at;
    if (!isMarked && line.trim() === "") break;
    wasMarked = isMarked;
    at = end;
  }
  return src.length;
}

class BoundedTokenizer extends Tokenizer {
  get #bounded(): BoundedLexer {
    return this.lexer as unknown as BoundedLexer;
  }

  /** marked 18.2.1 looks for an underline from every line of a list item's text to the end of its paragraph. */
  override lheading(src: string): Tokens.Heading | undefined {
    const { reading } = this.#bounded;
    if (reading.isPlain(src) || reading.ahead.find(UNDERLINE, src) < 0) return undefined;
    const heading = super.lheading(src);
    if (heading === undefined) reading.plain(src, HEADING_LINES?.exec(src)?.[0].length ?? 0);
    return heading;
  }

  /** marked 18.2.1 reads the rest of a quote again after each of its lines that has no mark. */
  override blockquote(src: string): Tokens.Blockquote | undefined {
    return QUOTE_MARK.test(src) ? super.blockquote(src.slice(0, quoteLength(src))) : undefined;
  }

  /** marked 18.2.1 lets a title run over blank lines, so a definition could change long after its end. */
  override def(src: string): Tokens.Def | undefined {
    if (!/^ {0,3}\[/.test(src)) return undefined;
    const { labels, reading, tokens } = this.#bounded;
    const blank = reading.ahead.find(BLANK_LINE, src);
    const found = super.def(blank < 0 ? src : src.slice(0, blank + 1));
    if (found !== undefined && !(found.tag in tokens.links)) labels.push(found.tag);
    return found;
  }

  /** marked 18.2.1 fills every row up to the header's width: a wide header over many short rows would never end. */
  override table(src: string): Tokens.Table | undefined {
    const [raw, first = "", second = "", body = ""] = this.rules.block.table.exec(src) ?? [];
    const names = cellTexts(first);
    const sides = second.replace(/^\||\| *$/g, "").split("|");
    if (raw === undefined || !/[:|]/.test(second) || names.length !== sides.length) return undefined;
    const align = sides.map((side) => {
      const [, left, right] = /^ *(:?)-+(:?) *$/.exec(side) ?? [];
      return right ? (left ? "center" : "right") : left ? "left" : null;
    });
    const cells = (row: string, header: boolean): Tokens.TableCell[] =>
      cellTexts(row)
        .slice(0, names.length)
        .map((text, at) => ({ text, tokens: this.lexer.inline(text), header, align: align[at] ?? null }));
    const rows = body.trim() === "" ? [] : body.replace(/\n[ \t]*$/, "").split("\n");
    return {
      type: "table",
      raw: raw.replace(/\n+$/, ""),
      align,
      header: cells(first, true),
      rows: rows.map((row) => cells(row, false)),
    };
  }

  /** Read as it is while it grows, so that both agree on where a block ends. */
  override fences(src: string): Tokens.Code | undefined {
    const rules = fenceRules(src);
    if (rules === null) return undefined;
    const { length, lines } = readFence(src, rules);
    return { type: "code", raw: src.slice(0, length), lang: rules.info, text: lines.join("\n") };
  }

  /** Beside Chinese, Japanese and Korean a mark is beside a letter: cjk.ts. */
  override emStrong(src: string, masked: string, before = ""): Tokens.Em | Tokens.Strong | undefined {
    const isBeside = src.startsWith("*") && (CJK.test(before) || CJK.test(/^\*+(.?)/su.exec(src)?.[1] ?? ""));
    return super.emStrong(src, masked, isBeside ? "" : before);
  }

  /** Two tildes strike out. marked 18.2.1 takes one as well, with which people write "about": ~4 to ~6 minutes. */
  override del(src: string, masked: string): Tokens.Del | undefined {
    if (!/^~~[^\s~]/.test(src)) return undefined;
    const end = this.#bounded.reading.ahead.find(STRUCK_END, masked.slice(-src.length), 2);
    if (end < 0) return undefined;
    const text = src.slice(2, end);
    return { type: "del", raw: src.slice(0, end + 2), text, tokens: this.lexer.inlineTokens(text) };
  }

  override url(src: string): Tokens.Link | undefined {
    return super.url(ADDRESS.exec(src)?.[0] ?? src);
  }

  /** marked 18.2.1 looks for the end of a comment or an instruction from each of its beginnings. */
  override tag(src: string): Tokens.Tag | undefined {
    if (!src.startsWith("<!") && !src.startsWith("<?")) return super.tag(src);
    const close = src.startsWith("<!--")
      ? "-->"
      : src.startsWith("<![")
        ? "]]>"
        : src[1] === "?"
          ? "?>"
          : ">";
    return this.#bounded.reading.ahead.find(close, src, 2) < 0 ? undefined : super.tag(src);
  }
}

/** The cells of a row, as many as it has. A pipe after a backslash is none between cells. */
function cellTexts(row: string): string[] {
  const cells = row
    .replace(/(\\*)\|/g, (pipe, slashes: string) => (slashes.length % 2 === 0 ? `${slashes} |` : pipe))
    .split(/ \|/);
  if (cells[0]?.trim() === "") cells.shift();
  if (cells.at(-1)?.trim() === "") cells.pop();
  return cells.map((cell) => cell.trim().replaceAll("\\|", "|"));
}

function hasManyMarks(text: string): boolean {
  if (text.length < MAX_MARKS) return false;
  const marks = text.slice(0, MAX_INLINE).matchAll(/\*+|_+|~+/g);
  for (let count = 0; !marks.next().done; count++) if (count >= MAX_MARKS) return true;
  return false;
}

/** What marked 18.2.1 takes for the letters of an address when it looks for the @ after them. */
const ADDRESS_LETTER = /[a-zA-Z0-9.!#$%&'*+/=?_`{|}~-]/;

/** True when an @ comes after more than MAX_WORD letters that could begin an address. */
function hasLongAddress(text: string): boolean {
  for (let at = text.indexOf("@"); at >= 0 && at < MAX_INLINE; at = text.indexOf("@", at + 1)) {
    let start = at;
    while (start > 0 && at - start <= MAX_WORD && ADDRESS_LETTER.test(text.charAt(start - 1))) start--;
    if (at - start > MAX_WORD) return true;
  }
  return false;
}

class BoundedLexer extends Lexer implements HoldsMath {
  /** The text may go on. */
  growing = false;
  /** Those of definitions in the text that were not known before. */
  readonly labels: string[] = [];
  #blockDepth = 0;
  #inlineDepth = 0;
  #reading: Reading | null = null;

  /** What is known of the text that is being read, which inside a container or emphasis is a text of its own. */
  get reading(): Reading {
    this.#reading ??= new Reading();
    return this.#reading;
  }

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
      return this.#inText(() => super.blockTokens(src, tokens, clipped)) as never;
    } finally {
      this.#blockDepth--;
    }
  }

  override inlineTokens(src: string, tokens: Token[] = []): Token[] {
    if (this.#inlineDepth > MAX_DEPTH) {
      tokens.push(plain(src));
      return tokens;
    }
    if (this.#inlineDepth === 0 && (hasManyMarks(src) || hasLongAddress(src))) {
      tokens.push(plain(src));
      return tokens;
    }
    const cut = formattedLength(src);
    this.#inlineDepth++;
    try {
      this.#inText(() => super.inlineTokens(cut < src.length ? src.slice(0, cut) : src, tokens));
    } finally {
      this.#inlineDepth--;
    }
    if (cut < src.length) tokens.push(plain(src.slice(cut), "rest"));
    return tokens;
  }

  #inText<T>(read: () => T): T {
    const outer = this.#reading;
    this.#reading = null;
    try {
      return read();
    } finally {
      this.#reading = outer;
    }
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

const OPTIONS: MarkedOptions = { gfm: true, tokenizer: new BoundedTokenizer() };
const MATH_OPTIONS: MarkedOptions = { ...OPTIONS, extensions: mathExtensions };

/** marked types this as a whole Hooks object, but reads only what is there. */
const maskHooks = {
  emStrongMask: (text: string) => cjkMask(maskMath(text)),
} as unknown as NonNullable<MarkedOptions["hooks"]>;

/** With a hook marked masks every run, also those without emphasis, so only a text that needs it has one. */
function optionsFor(text: string): MarkedOptions {
  const isMath = mayHoldMath(text);
  const isMasked = /[*_~]/.test(text) && (text.includes("$") || CJK.test(text));
  return { ...(isMath ? MATH_OPTIONS : OPTIONS), ...(isMasked && { hooks: maskHooks }) };
}

export interface LexResult {
  tokens: Token[];
  /** Definitions in this text of labels that were not known. */
  links: Links;
}

/** No definitions. A label may be any word, so none may be found on a prototype. */
export function noLinks(): Links {
  return Object.create(null) as Links;
}

/**
 * Tokens whose `raw` add up to the text. `growing` says that more text may follow. A failure inside the parser gives
 * the text back as one plain token.
 */
export function lex(text: string, known: Links = noLinks(), growing = false): LexResult {
  const lexer = new BoundedLexer(optionsFor(text));
  lexer.growing = growing;
  // Copying what is known with every step would cost its square. The parser adds to it, and that is taken out again.
  lexer.tokens.links = known as typeof lexer.tokens.links;
  let tokens: Token[];
  try {
    tokens = lexer.lex(capMarkers(text));
  } catch {
    tokens = [plain(text)];
  }
  const links = noLinks();
  for (const label of lexer.labels) {
    const link = known[label];
    if (link === undefined) continue;
    links[label] = link;
    delete known[label];
  }
  return { tokens, links };
}
