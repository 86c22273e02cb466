/**
 * Markdown that grows, as blocks on the page. Each block is built once, when its end is certain; what follows is
 * parsed again with every step.
 *
 * A block is final when a later block exists whose first line is complete. Until then one more character can still
 * change it: "1. a\n\n2" reads as a paragraph until ". " comes.
 */
import type { Token, Tokens } from "marked";
import {
  type BuildOptions,
  buildBlock,
  buildItem,
  buildListShell,
  buildRow,
  buildTableShell,
} from "./dom.ts";
import { fenceShell, OpenFence } from "./fence.ts";
import { finalCount, offsets } from "./final.ts";
import type { Flow } from "./flow.ts";
import { type LexResult, lex } from "./lexer.ts";
import { GROWTH, MAX_INLINE, REPARSE_ABOVE, SLOW_PARSE_MS } from "./limits.ts";
import { finalItems, makeLoose, OpenList } from "./list.ts";
import { OpenParagraph } from "./long.ts";
import { References } from "./references.ts";
import { finalRows, headerLines, OpenTable } from "./table.ts";

type Open = OpenFence | OpenList | OpenTable | OpenParagraph;

/** Containers whose last child can take text that is not parsed yet. */
const GROWS: ReadonlySet<string> = new Set(["p", "li", "ul", "ol", "blockquote"]);

export class Blocks {
  #tail = "";
  #open: Open | null = null;
  #nextParse = 0;
  #unparsedFrom = 0;
  #unparsed: Text | null = null;
  readonly #references = new References();

  readonly #flow: Flow;
  readonly #options: BuildOptions;
  readonly #onFinal: (element: HTMLElement) => void;

  constructor(flow: Flow, options: BuildOptions, onFinal: (element: HTMLElement) => void) {
    this.#flow = flow;
    this.#options = options;
    this.#onFinal = onFinal;
  }

  /** Source of what is not final. */
  get unfinished(): string {
    return this.#tail;
  }

  /** Takes more text and draws as far as it goes. With `end`, everything becomes final. */
  write(text: string, end = false): void {
    this.#tail += text;
    while (this.#advance(end)) {
      // Each turn closes one open block or commits blocks; the last one leaves only the tail.
    }
  }

  #advance(end: boolean): boolean {
    if (this.#open instanceof OpenFence) return this.#advanceFence(this.#open, end);
    if (this.#open instanceof OpenParagraph) return this.#advanceParagraph(this.#open, end);
    return this.#advanceBlocks(end);
  }

  #advanceFence(fence: OpenFence, end: boolean): boolean {
    const { rest, closed } = fence.feed(this.#tail, end);
    this.#tail = rest;
    if (!closed) return false;
    this.#close();
    return true;
  }

  #advanceParagraph(paragraph: OpenParagraph, end: boolean): boolean {
    const prefix = paragraph.prefix;
    const text = prefix + this.#tail;
    const { tokens } = lex(text, {}, !end);
    const first = tokens[0];
    if (!end && finalCount(tokens, offsets(tokens), text) === 0) {
      const length = Math.min(this.#tail.length, (first?.raw.length ?? 0) - prefix.length);
      const settled = paragraph.settledLength(this.#tail.slice(0, Math.max(0, length)));
      paragraph.append(this.#tail.slice(0, settled));
      this.#tail = this.#tail.slice(settled);
      this.#flow.show([], 0);
      return false;
    }
    let used = first === undefined ? this.#tail.length : first.raw.length - prefix.length;
    if (first?.type === "heading") {
      const heading = first as Tokens.Heading;
      paragraph.append(heading.text.slice(prefix.length));
      const level = Math.min(6, heading.depth + this.#options.headingOffset);
      this.#flow.replacePinned(paragraph.become(`h${level}`));
    } else {
      // Anything else can only be the made-up first line read as a table header: its line is paragraph text.
      if (first?.type !== "paragraph") used = this.#tail.indexOf("\n") + 1 || this.#tail.length;
      paragraph.append(this.#tail.slice(0, used));
    }
    this.#tail = this.#tail.slice(used);
    this.#close();
    return this.#tail !== "";
  }

  #close(): void {
    const open = this.#open;
    this.#open = null;
    this.#flow.release();
    // Items and rows were handed over one by one.
    if (open instanceof OpenFence || open instanceof OpenParagraph) this.#onFinal(open.element);
  }

  #advanceBlocks(end: boolean): boolean {
    if (this.#tail === "" && !(end && this.#open !== null)) return false;
    if (!end && this.#tail.length < this.#nextParse) {
      this.#showUnparsed();
      return false;
    }
    const header = this.#open instanceof OpenTable ? this.#open.header : "";
    const text = header + this.#tail;
    const began = performance.now();
    const result = lex(text, this.#references.links, !end);
    const slow = this.#tail.length > REPARSE_ABOVE || performance.now() - began > SLOW_PARSE_MS;
    const starts = offsets(result.tokens);
    const whole = starts.at(-1) === text.length;
    const final = end ? result.tokens.length : whole ? finalCount(result.tokens, starts, text) : 0;
    this.#unparsed = null;

    const labels = this.#references.define(result.tokens.slice(0, final), result.links);
    let cut = starts[final] ?? text.length;
    let next = 0;
    const first = result.tokens[0];
    if (this.#open instanceof OpenList && first?.type === "list") {
      const items = this.#continueList(this.#open, first as Tokens.List, final > 0, text, result, labels);
      if (final === 0) cut = items;
      next = 1;
    } else if (this.#open instanceof OpenTable && first?.type === "table") {
      const rows = this.#continueTable(this.#open, first as Tokens.Table, final > 0, text, result);
      if (final === 0) cut = rows;
      next = 1;
    }
    if (this.#open !== null && (final > 0 || next === 0)) this.#close();
    cut = this.#draw(result, next, final, starts, text, cut, whole && !end, labels);
    this.#references.resolve(labels, this.#onFinal);

    const before = this.#tail.length;
    this.#tail = cut <= header.length ? this.#tail : text.slice(cut);
    if (end && !(this.#open instanceof OpenFence)) this.#tail = "";
    this.#nextParse = slow ? Math.ceil(this.#tail.length * GROWTH) : 0;
    this.#unparsedFrom = this.#tail.length;
    return this.#open instanceof OpenFence || (this.#open instanceof OpenParagraph && before > 0);
  }

  /** Draws tokens from `next` on, of which those before `final` are final; returns where the tail begins. */
  #draw(
    result: LexResult,
    next: number,
    final: number,
    starts: readonly number[],
    text: string,
    cut: number,
    mayOpen: boolean,
    labels: string[],
  ): number {
    const fresh: HTMLElement[] = [];
    const sources: Token[] = [];
    for (const token of result.tokens.slice(next, Math.max(final, next))) {
      const element = this.#buildFinal(token, result);
      if (element === null) continue;
      fresh.push(element);
      sources.push(token);
    }
    const finalBlocks = fresh.length;
    const rest = result.tokens.slice(Math.max(final, next));
    const at = rest.findIndex((token) => token.type !== "space");
    const candidate = rest[at];
    const start = starts[Math.max(final, next) + at] ?? text.length;
    const opened =
      mayOpen && this.#open === null && candidate !== undefined ? this.#opens(candidate, text, start) : null;
    if (opened !== null) fresh.push(opened.shell);
    for (const token of opened === null ? rest : rest.slice(at + 1)) {
      const element = buildBlock(token, this.#options);
      if (element !== null) fresh.push(element);
    }
    const kept = this.#flow.show(fresh, finalBlocks);
    for (const [index, token] of sources.entries()) this.#finish(kept[index] as HTMLElement, token);
    return opened === null ? cut : opened.begin(result, labels);
  }

  #buildFinal(token: Token, result: LexResult): HTMLElement | null {
    if (this.#references.readsUnknown(token.raw, result.links)) return this.#rebuild(token.raw);
    return buildBlock(token, this.#options);
  }

  #rebuild(raw: string): HTMLElement | null {
    const { tokens } = lex(raw, this.#references.links);
    for (const token of tokens) {
      const element = buildBlock(token, this.#options);
      if (element !== null) return element;
    }
    return null;
  }

  #finish(element: HTMLElement, token: Token): void {
    if (token.type !== "code") this.#references.watch(element, token.raw, () => this.#rebuild(token.raw));
    this.#onFinal(element);
  }

  /** How a block that is not final is kept open, when it is of a kind that can be appended to. */
  #opens(
    token: Token,
    text: string,
    start: number,
  ): { shell: HTMLElement; begin: (result: LexResult, labels: string[]) => number } | null {
    const newline = text.indexOf("\n", start);
    if (newline < 0 && token.type !== "paragraph") return null;
    switch (token.type) {
      case "code": {
        const code = token as Tokens.Code;
        if (code.codeBlockStyle === "indented") return null;
        const begin = () => {
          this.#open = new OpenFence(this.#flow.pin(), text.slice(start, newline + 1));
          return newline + 1;
        };
        return { shell: fenceShell(code.lang), begin };
      }
      case "list": {
        const list = token as Tokens.List;
        if (finalItems(list, text, start).count === 0) return null;
        const begin = (result: LexResult, labels: string[]) => {
          const open = new OpenList(this.#flow.pin(), this.#options);
          this.#open = open;
          return start + this.#continueList(open, list, false, text.slice(start), result, labels);
        };
        return { shell: buildListShell(list), begin };
      }
      case "table": {
        const table = token as Tokens.Table;
        const header = headerLines(table);
        if (header === null || finalRows(table, header, text, start).count === 0) return null;
        const begin = (result: LexResult) => {
          const open = new OpenTable(this.#flow.pin(), header);
          this.#open = open;
          this.#watchHeader(open, result);
          return start + this.#continueTable(open, table, false, text.slice(start), result);
        };
        return { shell: buildTableShell(table).element, begin };
      }
      case "paragraph": {
        const paragraph = token as Tokens.Paragraph;
        if (paragraph.text.length <= MAX_INLINE || start + token.raw.length < text.length) return null;
        const begin = () => {
          this.#open = new OpenParagraph(this.#flow.pin(), paragraph);
          const rest = paragraph.tokens.find((inner) => (inner as Token).type === "rest");
          return text.length - (rest?.raw.length ?? 0) - (token.raw.length - paragraph.text.length);
        };
        return { shell: document.createElement("p"), begin };
      }
      default:
        return null;
    }
  }

  #continueList(
    open: OpenList,
    token: Tokens.List,
    closed: boolean,
    text: string,
    result: LexResult,
    labels: string[],
  ): number {
    const { count, length } = closed ? { count: token.items.length, length: 0 } : finalItems(token, text, 0);
    const done = token.items.slice(0, count);
    if (!closed) labels.push(...this.#references.define([{ ...token, items: done }], result.links));
    const rebuild = (raw: string): HTMLElement | null => {
      const list = lex(raw, this.#references.links).tokens[0];
      if (list?.type !== "list") return null;
      const item = (list as Tokens.List).items[0];
      return item === undefined ? null : buildItem(item, open.loose, this.#options);
    };
    // The parser's word on looseness can still change, and it decides how an item's text is lexed.
    const build = (item: Tokens.ListItem): HTMLElement => {
      const stale = token.loose !== open.loose || this.#references.readsUnknown(item.raw, result.links);
      return (stale ? rebuild(item.raw) : null) ?? buildItem(item, open.loose, this.#options);
    };
    const elements = open.update(token, count, closed ? token.loose : makeLoose(done), build);
    elements.forEach((element, index) => {
      const raw = done[index]?.raw ?? "";
      this.#references.watch(element, raw, () => rebuild(raw));
      this.#onFinal(element);
    });
    return length;
  }

  #watchHeader(open: OpenTable, result: LexResult): void {
    const render = () => {
      const table = lex(open.header, this.#references.links).tokens[0];
      return table?.type === "table" ? buildRow((table as Tokens.Table).header, "th") : null;
    };
    let row = open.headerRow;
    if (this.#references.readsUnknown(open.header, result.links)) {
      const fresh = render();
      if (fresh !== null) row.replaceWith(fresh);
      row = fresh ?? row;
    }
    this.#references.watch(row, open.header, render);
    this.#onFinal(row);
  }

  #continueTable(
    open: OpenTable,
    token: Tokens.Table,
    closed: boolean,
    text: string,
    result: LexResult,
  ): number {
    const { header } = open;
    const { count, length } = closed
      ? { count: token.rows.length, length: 0 }
      : finalRows(token, header, text, 0);
    const lines = token.raw.slice(header.length).split("\n");
    const rebuild = (line: string): HTMLElement | null => {
      const table = lex(header + line, this.#references.links).tokens[0];
      const row = table?.type === "table" ? (table as Tokens.Table).rows[0] : undefined;
      return row === undefined ? null : buildRow(row, "td", token.header.length);
    };
    const rows = token.rows.map((row, index) => {
      const line = lines[index] ?? "";
      const unknown = index < count && this.#references.readsUnknown(line, result.links);
      return (unknown ? rebuild(line) : null) ?? buildRow(row, "td", token.header.length);
    });
    open.update(rows, count).forEach((element, index) => {
      const line = lines[index] ?? "";
      this.#references.watch(element, line, () => rebuild(line));
      this.#onFinal(element);
    });
    return header.length + length;
  }

  /** Shows what came since the last parse of a large open block as plain text. */
  #showUnparsed(): void {
    if (this.#unparsed === null) {
      let place = this.#flow.last;
      if (place === null || !GROWS.has(place.localName)) return;
      while (place.lastElementChild instanceof HTMLElement && GROWS.has(place.lastElementChild.localName)) {
        place = place.lastElementChild;
      }
      this.#unparsed = document.createTextNode("");
      place.append(this.#unparsed);
    }
    this.#unparsed.appendData(this.#tail.slice(this.#unparsedFrom + this.#unparsed.length));
  }
}
