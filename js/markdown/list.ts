/** A list that is still open: items are final one by one, only the last is drawn again. */

import type { Tokens } from "marked";
import { h } from "../dom/dom.ts";
import { buildItem } from "./dom.ts";
import { lex } from "./lexer.ts";
import { mergeChildren } from "./merge.ts";
import type { OpenBlock, Pass, Site, Taken } from "./pass.ts";

/** Elements that a tight item's text can stand beside; everything else in it is inline. */
const BLOCK_NAMES: ReadonlySet<string> = new Set("p h1 h2 h3 h4 h5 h6 hr blockquote ul ol div".split(" "));

function isInline(node: Node): boolean {
  return !(node instanceof HTMLElement) || !BLOCK_NAMES.has(node.localName);
}

/** Turns a tight item into a loose one: each run of inline nodes becomes a paragraph. */
function loosen(item: HTMLElement): void {
  let paragraph: HTMLElement | null = null;
  for (const node of Array.from(item.childNodes)) {
    if (!isInline(node)) {
      paragraph = null;
      continue;
    }
    if (paragraph === null) {
      paragraph = h("p");
      node.replaceWith(paragraph);
    }
    paragraph.append(node);
  }
}

export class OpenList implements OpenBlock {
  readonly takesAll = false;
  readonly header = "";
  #final = 0;
  #loose = false;

  readonly #site: Site;

  constructor(
    readonly element: HTMLElement,
    site: Site,
  ) {
    this.#site = site;
    element.replaceChildren();
  }

  advance(pass: Pass): Taken {
    const first = pass.tokens[0];
    if (first?.type !== "list") return { tokens: 0, length: 0, closed: true };
    const list = first as Tokens.List;
    const closed = pass.final > 0;
    const { count, length } = closed
      ? { count: list.items.length, length: pass.lengthBefore(1) }
      : finalItems(list, pass.text);
    const done = list.items.slice(0, count);
    this.#site.references.define([{ ...list, items: done }], pass.found);
    // It is certain that the list is loose: a blank line was only then between two items when the second one stays one.
    if (closed ? list.loose : makeLoose(done)) this.#loosen();
    if (list.items.some((item) => item.task)) this.element.className = "gs-tasks";
    const { options } = this.#site;
    const items = list.items.map((item, index) =>
      index < count ? this.#build(item, list, pass) : buildItem(item, this.#loose || list.loose, options),
    );
    const kept = mergeChildren(this.element, this.#final, items).slice(0, count) as HTMLElement[];
    this.#final += count;
    kept.forEach((element, index) => {
      const raw = done[index]?.raw ?? "";
      this.#site.finish(element, raw, () => this.#rebuild(raw));
    });
    return { tokens: 1, length, closed };
  }

  #loosen(): void {
    if (this.#loose) return;
    this.#loose = true;
    for (const item of Array.from(this.element.children).slice(0, this.#final)) loosen(item as HTMLElement);
  }

  /** A final item. The parser's word on looseness can still change, and it decides how an item's text is lexed. */
  #build(item: Tokens.ListItem, list: Tokens.List, pass: Pass): HTMLElement {
    const stale = list.loose !== this.#loose || this.#site.references.readsUnknown(item.raw, pass.found);
    return (stale ? this.#rebuild(item.raw) : null) ?? buildItem(item, this.#loose, this.#site.options);
  }

  #rebuild(raw: string): HTMLElement | null {
    const list = lex(raw, this.#site.references.links).tokens[0];
    const item = list?.type === "list" ? (list as Tokens.List).items[0] : undefined;
    return item === undefined ? null : buildItem(item, this.#loose, this.#site.options);
  }
}

/** How many items of an unfinished list at the start of `text` are final: those before the last one whose first line is complete. */
export function finalItems(token: Tokens.List, text: string): { count: number; length: number } {
  let offset = 0;
  let result = { count: 0, length: 0 };
  token.items.forEach((item, index) => {
    if (index > 0 && text.indexOf("\n", offset) >= 0) result = { count: index, length: offset };
    offset += item.raw.length;
  });
  return result;
}

/** True when finished items make their list loose: by a blank line after one of them, or inside one. */
export function makeLoose(items: readonly Tokens.ListItem[]): boolean {
  return items.some(
    (item) =>
      /\n[ \t]*\n[ \t]*$/.test(item.raw) ||
      item.tokens.some((token) => token.type === "space" && /\n.*\n/.test(token.raw)),
  );
}
