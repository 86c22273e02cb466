/** A table that is still open: a row is final at its line end, only the row being written is drawn again. */

import type { Tokens } from "marked";
import { h } from "../dom/dom.ts";
import { buildRow } from "./dom.ts";
import { type Links, lex } from "./lexer.ts";
import { mergeChildren } from "./merge.ts";
import type { OpenBlock, Pass, Site, Taken } from "./pass.ts";

/** The delimiters of columns that are aligned, by the class of their cells. */
const MARKS: Readonly<Record<string, string>> = { "gs-center": ":-:", "gs-right": "-:" };

export class OpenTable implements OpenBlock {
  readonly takesAll = false;
  #final = 0;
  #body: HTMLElement | null = null;
  readonly #table: HTMLElement;
  /** The delimiter of each column. */
  readonly #columns: readonly string[];
  readonly #site: Site;

  /** `header` is the source of the two header lines: with it any row can be read on its own. */
  constructor(
    readonly element: HTMLElement,
    readonly header: string,
    site: Site,
    found: Links,
  ) {
    const table = element.querySelector("table");
    if (table === null) throw new Error("not a table");
    this.#table = table;
    this.#columns = Array.from(table.querySelectorAll("th"), ({ className }) => MARKS[className] ?? "-");
    this.#site = site;
    table.querySelector("tbody")?.remove();
    this.#finishHeader(found);
  }

  advance(pass: Pass): Taken {
    const first = pass.tokens[0];
    if (first?.type !== "table") return { tokens: 0, length: 0, closed: true };
    const table = first as Tokens.Table;
    const closed = pass.final > 0;
    const { count, end } = closed
      ? { count: table.rows.length, end: pass.starts[1] as number }
      : finalRows(table, this.header, pass.text);
    const lines = table.raw.slice(this.header.length).split("\n");
    const rows = table.rows.map((row, index) => {
      const line = lines[index] ?? "";
      const unknown = index < count && this.#site.references.readsUnknown(line, pass.found);
      return (unknown ? this.#rebuild(line) : null) ?? buildRow(row, "td", table.header.length);
    });
    this.#show(rows, count).forEach((element, index) => {
      const line = lines[index] ?? "";
      this.#site.finish(element, line, () => this.#rebuild(line));
    });
    return { tokens: 1, length: end - pass.header.length, closed };
  }

  #finishHeader(found: Links): void {
    let row = this.#table.querySelector("tr") as HTMLElement;
    const render = () => {
      const table = lex(this.header, this.#site.references.links).tokens[0];
      return table?.type === "table" ? buildRow((table as Tokens.Table).header, "th") : null;
    };
    const fresh = this.#site.references.readsUnknown(this.header, found) ? render() : null;
    if (fresh !== null) {
      row.replaceWith(fresh);
      row = fresh;
    }
    this.#site.finish(row, this.header, render);
  }

  /** A row is read under as many columns as it has: with the whole of a wide header each would cost all of it. */
  #rebuild(line: string): HTMLElement | null {
    const columns = this.#columns.slice(0, line.split("|").length);
    const header = `|${"x|".repeat(columns.length)}\n|${columns.join("|")}|\n`;
    const first = lex(header + line, this.#site.references.links).tokens[0];
    const row = first?.type === "table" ? (first as Tokens.Table).rows[0] : undefined;
    return row === undefined ? null : buildRow(row, "td", this.#columns.length);
  }

  /** Draws rows after the final ones; the first `final` of them are done, and their elements are returned. */
  #show(rows: readonly HTMLElement[], final: number): HTMLElement[] {
    if (this.#body === null && rows.length > 0) {
      this.#body = h("tbody");
      this.#table.append(this.#body);
    }
    if (this.#body === null) return [];
    const kept = mergeChildren(this.#body, this.#final, rows);
    this.#final += final;
    if (this.#body.childNodes.length === 0) {
      this.#body.remove();
      this.#body = null;
    }
    return kept.slice(0, final) as HTMLElement[];
  }
}

/** The two header lines of a table's source, or null while they are not both complete. */
export function headerLines(token: Tokens.Table): string | null {
  const first = token.raw.indexOf("\n");
  const second = first < 0 ? -1 : token.raw.indexOf("\n", first + 1);
  return second < 0 ? null : token.raw.slice(0, second + 1);
}

/** How many rows of an unfinished table at the start of `text` end with a line end, and where the last of them ends. */
export function finalRows(token: Tokens.Table, header: string, text: string): { count: number; end: number } {
  let end = header.length;
  let count = 0;
  while (count < token.rows.length) {
    const newline = text.indexOf("\n", end);
    if (newline < 0 || newline > token.raw.length) break;
    end = newline + 1;
    count++;
  }
  return { count, end };
}
