/** Link definitions, and the finished blocks that a later definition changes. */
import type { Token, Tokens } from "marked";
import type { Links } from "./lexer.ts";

interface Reader {
  element: HTMLElement;
  /** The source without white space and quote marks, in the form labels are compared in. */
  source: string;
  render: () => HTMLElement | null;
}

function normalise(text: string): string {
  return text
    .replace(/[\s>]+/g, "")
    .toLowerCase()
    .toUpperCase()
    .toLowerCase();
}

export class References {
  readonly links: Links = Object.create(null) as Links;
  readonly #readers: Reader[] = [];

  /** Remembers a finished block that may read definitions; `render` builds it again with those known then. */
  watch(element: HTMLElement, source: string, render: () => HTMLElement | null): void {
    if (source.includes("[")) this.#readers.push({ element, source: normalise(source), render });
  }

  /** Adds the definitions of finished tokens; the first of a label stays. Returns the new labels. */
  define(tokens: readonly Token[], found: Links): string[] {
    const added: string[] = [];
    for (const tag of definedIn(tokens)) {
      const link = found[tag];
      if (tag in this.links || link === undefined) continue;
      this.links[tag] = link;
      added.push(tag);
    }
    return added;
  }

  /** True when the parser used definitions that are not final yet, so its result for `source` may change. */
  readsUnknown(source: string, found: Links): boolean {
    if (!source.includes("[")) return false;
    return Object.keys(found).some((tag) => !(tag in this.links));
  }

  /** Builds the blocks again that read one of `labels`; gives what replaced what. */
  resolve(labels: readonly string[], replaced: (element: HTMLElement) => void): void {
    if (labels.length === 0) return;
    const wanted = labels.map((label) => `[${normalise(label)}]`);
    for (const reader of this.#readers) {
      if (!wanted.some((label) => reader.source.includes(label))) continue;
      const fresh = reader.render();
      if (fresh === null) continue;
      reader.element.replaceWith(fresh);
      reader.element = fresh;
      replaced(fresh);
    }
  }
}

function* definedIn(tokens: readonly Token[]): Generator<string> {
  for (const token of tokens) {
    if (token.type === "def") yield (token as Tokens.Def).tag;
    else if (!token.raw.includes("]:")) continue;
    else if (token.type === "list") yield* itemDefinitions((token as Tokens.List).items);
    else if (token.type === "blockquote") yield* definedIn((token as Tokens.Blockquote).tokens);
  }
}

function* itemDefinitions(items: readonly Tokens.ListItem[]): Generator<string> {
  for (const item of items) yield* definedIn(item.tokens);
}
