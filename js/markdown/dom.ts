/** marked's block tokens to elements. One block is one element, or none for blank space and link definitions. */
import type { MarkedToken, Token, Tokens } from "marked";
import { h } from "../dom/dom.ts";
import { codeBlock, fenceRules, LineSpans, languageOf, readFence } from "./code.ts";
import { appendHtmlBlock, appendInline, appendPlain, checkbox, mathSource } from "./inline.ts";
import { MAX_DEPTH } from "./limits.ts";
import type { MathToken } from "./math_syntax.ts";

export interface BuildOptions {
  /** Added to the level of the model's headings, so that they sit below the page's own. */
  headingOffset: number;
}

/** The element for one top-level block, or null when it shows nothing. */
export function buildBlock(token: Token, options: BuildOptions): HTMLElement | null {
  return build(token as MarkedToken | MathToken, options, 0);
}

/** Beyond MAX_DEPTH the source is shown. */
function build(token: MarkedToken | MathToken, options: BuildOptions, depth: number): HTMLElement | null {
  if (depth > MAX_DEPTH) return source(token.raw);
  switch (token.type) {
    case "space":
    case "def":
      return null;
    case "heading": {
      const level = Math.min(6, token.depth + options.headingOffset);
      return inlineElement(`h${level}` as "h1", token.tokens ?? []);
    }
    case "paragraph":
    case "text":
      return inlineElement("p", token.tokens ?? [token as Token]);
    case "hr":
      return h("hr");
    case "code":
      return buildCode(token as Tokens.Code);
    case "blockquote": {
      const quote = h("blockquote", { dir: direction(token.raw) });
      appendBlocks(quote, token.tokens ?? [], options, depth + 1, true);
      return quote;
    }
    case "list":
      return buildList(token as Tokens.List, options, depth);
    case "table":
      return buildTable(token as Tokens.Table);
    case "html": {
      const shown = source("");
      appendHtmlBlock(shown, token.raw);
      return shown;
    }
    case "math":
      return h("p", null, mathSource(token as MathToken));
    default:
      return source(token.raw);
  }
}

const FIRST_LETTER = /`[^`]*`|(\p{L})/gu;
const FROM_RIGHT = /[\u0590-\u08ff\ufb1d-\ufefc\u{1e800}-\u{1efff}]/u;

/**
 * Which way a container runs: as its first letter outside code does. `dir="auto"` would say the same, but browsers look
 * for that letter from the start with every node that comes.
 */
function direction(source: string): "rtl" | "ltr" | null {
  for (const [, letter] of source.matchAll(FIRST_LETTER))
    if (letter !== undefined) return FROM_RIGHT.test(letter) ? "rtl" : "ltr";
  return null;
}

/** Source text shown as it came, line by line. */
function source(raw: string): HTMLElement {
  const element = h("p", { class: "gs-source" });
  appendPlain(element, raw.replace(/\n+$/, ""));
  return element;
}

function inlineElement(name: "p" | "h1", tokens: readonly Token[]): HTMLElement {
  const element = h(name);
  appendInline(element, tokens);
  return element;
}

/** `loose` decides whether a `text` token, which only occurs in list items, is a paragraph. */
function appendBlocks(
  parent: HTMLElement,
  tokens: readonly Token[],
  options: BuildOptions,
  depth: number,
  loose: boolean,
): void {
  let box: Token | undefined;
  for (const token of tokens) {
    if (token.type === "checkbox") box = token;
    else if (token.type === "text" && !loose) {
      appendInline(parent, [
        ...(box === undefined ? [] : [box]),
        ...((token as Tokens.Text).tokens ?? [token]),
      ]);
      box = undefined;
    } else {
      const block = build(token as MarkedToken, options, depth);
      if (block === null) continue;
      if (box !== undefined && block.localName === "p") block.prepend(...boxNodes(box));
      parent.append(block);
      box = undefined;
    }
  }
}

/** A task's box comes as a token before its text where the list is tight, and goes into the paragraph where not. */
function boxNodes(token: Token): Node[] {
  return [checkbox((token as Tokens.Checkbox).checked), document.createTextNode(" ")];
}

function buildCode(token: Tokens.Code): HTMLElement {
  const indented = token.codeBlockStyle === "indented";
  // marked's own `text` keeps the indentation of `~~~` blocks.
  const rules = indented ? null : fenceRules(token.raw);
  const text = token.text.replace(/\n$/, "");
  const lines = rules !== null ? readFence(token.raw, rules).lines : text === "" ? [] : text.split("\n");
  const block = codeBlock(indented ? "" : languageOf(token.lang));
  new LineSpans(block.code).append(lines);
  return block.element;
}

/** An empty list of the same kind. */
export function buildListShell(token: Tokens.List): HTMLElement {
  return h(token.ordered ? "ol" : "ul", {
    // By what is there when the list is opened: its first item.
    dir: direction(token.items[0]?.raw ?? ""),
    start: token.ordered && token.start !== 1 && token.start !== "" && token.start,
    class: token.items.some((item) => item.task) && "gs-tasks",
  });
}

/** One list item; `depth` is that of the list. */
export function buildItem(
  item: Tokens.ListItem,
  loose: boolean,
  options: BuildOptions,
  depth = 0,
): HTMLElement {
  const element = h("li");
  appendBlocks(element, item.tokens, options, depth + 1, loose);
  return element;
}

function buildList(token: Tokens.List, options: BuildOptions, depth: number): HTMLElement {
  const list = buildListShell(token);
  for (const item of token.items) list.append(buildItem(item, token.loose, options, depth));
  return list;
}

export interface TableParts {
  element: HTMLElement;
  /** Absent rows mean an absent body: it is added with the first row. */
  table: HTMLTableElement;
}

/** The frame and header of a table. */
export function buildTableShell(token: Tokens.Table): TableParts {
  // From the source, not from what it means: a link definition that comes later must not change the label.
  const names = token.header
    .map((cell) => cell.text.replace(/[*_`[\]\\]/g, "").trim())
    .filter((name) => name !== "");
  const label = `Table: ${names.join(", ")}`.slice(0, 120);
  const table = h("table", null, h("thead", null, buildRow(token.header, "th")));
  const dir = direction(label.slice("Table: ".length));
  const attributes = { class: "gs-scroll", dir, tabindex: 0, role: "group", "aria-label": label };
  const element = h("div", attributes, table);
  return { element, table };
}

/** One row of cells. Where it has fewer than `columns`, one empty cell stands for the rest. */
export function buildRow(
  cells: readonly Tokens.TableCell[],
  name: "th" | "td",
  columns = cells.length,
): HTMLTableRowElement {
  const row = h("tr");
  for (const cell of cells) {
    const element = h(name, {
      scope: name === "th" && "col",
      class: (cell.align === "center" || cell.align === "right") && `gs-${cell.align}`,
    });
    appendInline(element, cell.tokens);
    row.append(element);
  }
  if (cells.length < columns) {
    const left = columns - cells.length;
    row.append(h(name, { colspan: left > 1 && left }));
  }
  return row;
}

function buildTable(token: Tokens.Table): HTMLElement {
  const { element, table } = buildTableShell(token);
  const rows = token.rows.map((row) => buildRow(row, "td", token.header.length));
  if (rows.length > 0) table.append(h("tbody", null, ...rows));
  return element;
}
