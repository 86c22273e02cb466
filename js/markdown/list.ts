/** A list that is still open: items are final one by one, only the last is drawn again. */
import type { Tokens } from "marked";
import { type BuildOptions, buildItem } from "./dom.ts";
import { mergeChildren } from "./merge.ts";

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
      paragraph = document.createElement("p");
      node.replaceWith(paragraph);
    }
    paragraph.append(node);
  }
}

export class OpenList {
  #final = 0;
  loose = false;

  readonly #options: BuildOptions;

  constructor(
    readonly element: HTMLElement,
    options: BuildOptions,
  ) {
    this.#options = options;
    element.replaceChildren();
  }

  /**
   * Draws the items of `token`, which continues this list; the first `final` of them are done.
   * `loose` says that it is certain the list is loose: a blank line was only then between two items when the second
   * one stays an item. `build` makes one final item. Returns the elements of the final ones.
   */
  update(
    token: Tokens.List,
    final: number,
    loose: boolean,
    build: (item: Tokens.ListItem) => HTMLElement,
  ): HTMLElement[] {
    if (!this.loose && loose) {
      this.loose = true;
      for (const item of Array.from(this.element.children).slice(0, this.#final)) loosen(item as HTMLElement);
    }
    if (token.items.some((item) => item.task)) this.element.className = "gs-tasks";
    const items = token.items.map((item, index) =>
      index < final ? build(item) : buildItem(item, this.loose || token.loose, this.#options),
    );
    const kept = mergeChildren(this.element, this.#final, items);
    this.#final += final;
    return kept.slice(0, final) as HTMLElement[];
  }
}

/** How many items of an unfinished list are final: those before the last one whose first line is complete. */
export function finalItems(
  token: Tokens.List,
  text: string,
  start: number,
): { count: number; length: number } {
  let offset = start;
  let result = { count: 0, length: 0 };
  token.items.forEach((item, index) => {
    if (index > 0 && text.indexOf("\n", offset) >= 0) {
      result = { count: index, length: offset - start };
    }
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
