/** A table that is still open: a row is final at its line end, only the row being written is drawn again. */
import type { Tokens } from "marked";
import { mergeChildren } from "./merge.ts";

export class OpenTable {
  #final = 0;
  #body: HTMLElement | null = null;
  readonly #table: HTMLElement;

  /** `header` is the source of the two header lines: with it any row can be read on its own. */
  constructor(
    readonly element: HTMLElement,
    readonly header: string,
  ) {
    const table = element.querySelector("table");
    if (table === null) throw new Error("not a table");
    this.#table = table;
    table.querySelector("tbody")?.remove();
  }

  get headerRow(): HTMLElement {
    return this.#table.querySelector("tr") as HTMLElement;
  }

  /** Draws rows after the final ones; the first `final` of them are done, and their elements are returned. */
  update(rows: readonly HTMLElement[], final: number): HTMLElement[] {
    if (this.#body === null && rows.length > 0) {
      this.#body = document.createElement("tbody");
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

/** How many rows of an unfinished table end with a line end in `text`, and the length of their source. */
export function finalRows(
  token: Tokens.Table,
  header: string,
  text: string,
  start: number,
): { count: number; length: number } {
  const end = start + token.raw.length;
  let at = start + header.length;
  let count = 0;
  while (count < token.rows.length) {
    const newline = text.indexOf("\n", at);
    if (newline < 0 || newline > end) break;
    at = newline + 1;
    count++;
  }
  return { count, length: at - start - header.length };
}
