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
      return inlineElement(`h${level}`, token.tokens ?? []);
    }
    case "paragraph":
    case "text":
      return inlineElement("p", token.tokens ?? [token as Token]);
    case "hr":
      return document.createElement("hr");
    case "code":
      return buildCode(token as Tokens.Code);
    case "blockquote": {
      const quote = h("blockquote", { dir: "auto" });
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
    case "math": {
      const paragraph = document.createElement("p");
      paragraph.append(mathSource(token as MathToken));
      return paragraph;
    }
    default:
      return source(token.raw);
  }
}

/** Source text shown as it came, line by line. */
function source(raw: string): HTMLElement {
  const element = document.createElement("p");
  element.className = "gs-source";
  appendPlain(element, raw.replace(/\n+$/, ""));
  return element;
}

function inlineElement(name: string, tokens: readonly Token[]): HTMLElement {
  const element = document.createElement(name);
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
  const list = h(token.ordered ? "ol" : "ul", { dir: "auto" });
  if (token.ordered && token.start !== 1 && token.start !== "")
    list.setAttribute("start", String(token.start));
  if (token.items.some((item) => item.task)) list.className = "gs-tasks";
  return list;
}

/** One list item; `depth` is that of the list. */
export function buildItem(
  item: Tokens.ListItem,
  loose: boolean,
  options: BuildOptions,
  depth = 0,
): HTMLElement {
  const element = document.createElement("li");
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
  const element = document.createElement("div");
  element.className = "gs-scroll";
  element.dir = "auto";
  element.tabIndex = 0;
  element.setAttribute("role", "group");
  // From the source, not from what it means: a link definition that comes later must not change the label.
  const names = token.header
    .map((cell) => cell.text.replace(/[*_`[\]\\]/g, "").trim())
    .filter((name) => name !== "");
  element.setAttribute("aria-label", `Table: ${names.join(", ")}`.slice(0, 120));
  const table = document.createElement("table");
  const head = document.createElement("thead");
  head.append(buildRow(token.header, "th"));
  table.append(head);
  element.append(table);
  return { element, table };
}

/** One row of cells. Where it has fewer than `columns`, one empty cell stands for the rest. */
export function buildRow(
  cells: readonly Tokens.TableCell[],
  name: "th" | "td",
  columns = cells.length,
): HTMLTableRowElement {
  const row = document.createElement("tr");
  for (const cell of cells) {
    const element = document.createElement(name);
    if (name === "th") element.setAttribute("scope", "col");
    if (cell.align === "center" || cell.align === "right") element.className = `gs-${cell.align}`;
    appendInline(element, cell.tokens);
    row.append(element);
  }
  if (cells.length < columns) {
    const rest = document.createElement(name);
    if (columns - cells.length > 1) rest.colSpan = columns - cells.length;
    row.append(rest);
  }
  return row;
}

function buildTable(token: Tokens.Table): HTMLElement {
  const { element, table } = buildTableShell(token);
  if (token.rows.length > 0) {
    const body = document.createElement("tbody");
    for (const row of token.rows) body.append(buildRow(row, "td", token.header.length));
    table.append(body);
  }
  return element;
}
