/** Link definitions, and the finished blocks that a later definition changes. */
import type { Token, Tokens } from "marked";
import { type Links, noLinks } from "./lexer.ts";
import { MAX_REBUILDS } from "./limits.ts";

interface Reader {
  element: HTMLElement;
  readonly render: () => HTMLElement | null;
  /** How often it was built again. */
  rebuilds: number;
}

/** What may be a label, in normalised text. */
const LABEL = /\[([^[\]]+)\]/g;

/** Without white space and quote marks, in the form labels are compared in; a bracket behind a backslash is none. */
function normalise(text: string): string {
  return text
    .replace(/\\([\s\S])/g, (_, mark: string) => (mark === "[" ? "\\(" : mark === "]" ? "\\)" : `\\${mark}`))
    .replace(/[\s>]+/g, "")
    .toLowerCase()
    .toUpperCase()
    .toLowerCase();
}

export class References {
  /** The definitions that are final. */
  readonly links: Links = noLinks();
  /** The labels of these, in the form they are compared in. */
  readonly #known = new Set<string>();
  /** Blocks by the labels they may read that are not defined. */
  readonly #readers = new Map<string, Set<Reader>>();
  /** Labels defined since blocks were last built again. */
  #fresh: string[] = [];
  /** Blocks that were built again so often that they wait for the end of the text. */
  readonly #waiting = new Set<Reader>();

  /** Remembers a finished block that may read definitions; `render` builds it again with those known then. */
  watch(element: HTMLElement, source: string, render: () => HTMLElement | null): void {
    if (!source.includes("[")) return;
    const reader: Reader = { element, render, rebuilds: 0 };
    for (const [, label] of normalise(source).matchAll(LABEL)) {
      if (label === undefined || this.#known.has(label)) continue;
      const readers = this.#readers.get(label);
      if (readers === undefined) this.#readers.set(label, new Set([reader]));
      else readers.add(reader);
    }
  }

  /** Takes the definitions of final tokens out of those found in a pass; the first of a label stays. */
  define(tokens: readonly Token[], found: Links): void {
    for (const label of definedIn(tokens)) {
      const link = found[label];
      if (link === undefined) continue;
      delete found[label];
      this.links[label] = link;
      this.#fresh.push(normalise(label));
    }
  }

  /** True when the parser used definitions that are not final yet, so its result for `source` may change. */
  readsUnknown(source: string, found: Links): boolean {
    if (!source.includes("[")) return false;
    for (const _ in found) return true;
    return false;
  }

  /**
   * Builds the blocks again that read what was defined since the last time, and gives each to `replaced`. A block with
   * many labels that are defined one by one is built again a few times, and for the last time at the end.
   */
  resolve(end: boolean, replaced: (element: HTMLElement) => void): void {
    const touched = new Set<Reader>();
    for (const label of this.#fresh) {
      for (const reader of this.#readers.get(label) ?? [])
        (reader.rebuilds < MAX_REBUILDS ? touched : this.#waiting).add(reader);
      this.#readers.delete(label);
      this.#known.add(label);
    }
    this.#fresh = [];
    for (const reader of touched) rebuild(reader, replaced);
    if (!end) return;
    for (const reader of this.#waiting) rebuild(reader, replaced);
    this.#waiting.clear();
  }
}

function rebuild(reader: Reader, replaced: (element: HTMLElement) => void): void {
  reader.rebuilds++;
  const fresh = reader.render();
  if (fresh === null) return;
  reader.element.replaceWith(fresh);
  reader.element = fresh;
  replaced(fresh);
}

function* definedIn(tokens: readonly Token[]): Generator<string> {
  for (const token of tokens) {
    if (token.type === "def") yield (token as Tokens.Def).tag;
    else if (!token.raw.includes("]:")) continue;
    else if (token.type === "list")
      for (const item of (token as Tokens.List).items) yield* definedIn(item.tokens);
    else if (token.type === "blockquote") yield* definedIn((token as Tokens.Blockquote).tokens);
  }
}
