/**
 * Where something comes next in a text that is read from front to back.
 *
 * Parsers ask this at every step, and looking to the end of the text each time makes their cost grow with its square.
 * Each question here is about the rest of one text, so a place found once answers until it is passed.
 */

/** A blank line, seen from the line end before it. */
export const BLANK_LINE = /\n[ \t]*\n/g;

export class Ahead {
  /** By what is looked for: how far from the end of the text it was found; -1 for nowhere. */
  readonly #found = new Map<string | RegExp, number>();

  /**
   * Where `mark`, a text or a global pattern, is next in `rest`, the unread end of the text, from `from` on; or -1.
   * Questions about one mark only go forward, and what is before a place must not decide whether it is one.
   */
  find(mark: string | RegExp, rest: string, from = 0): number {
    return this.#recall(mark, rest, from) ?? this.#keep(mark, rest, first(mark, rest, from));
  }

  /** The same for what only `search` can tell; `name` stands for it. */
  findBy(name: string, rest: string, search: (rest: string) => number): number {
    return this.#recall(name, rest, 0) ?? this.#keep(name, rest, search(rest));
  }

  #recall(mark: string | RegExp, rest: string, from: number): number | undefined {
    const known = this.#found.get(mark);
    if (known === undefined || known === -1) return known;
    return rest.length - known >= from ? rest.length - known : undefined;
  }

  #keep(mark: string | RegExp, rest: string, at: number): number {
    this.#found.set(mark, at < 0 ? -1 : rest.length - at);
    return at;
  }
}

function first(mark: string | RegExp, text: string, from: number): number {
  if (typeof mark === "string") return text.indexOf(mark, from);
  mark.lastIndex = from;
  return mark.exec(text)?.index ?? -1;
}

/** What is known of one text while it is read. */
export class Reading {
  /** For questions from where the reading is. */
  readonly ahead = new Ahead();
  /** For questions from where the next formula may begin. */
  readonly beyond = new Ahead();
  /** Lines over which no underline was found: nor will one be when they are read again from a later line. */
  #plainFrom = 0;
  #plainTo = 0;

  plain(rest: string, length: number): void {
    this.#plainFrom = rest.length;
    this.#plainTo = rest.length - length;
  }

  isPlain(rest: string): boolean {
    return rest.length < this.#plainFrom && rest.length > this.#plainTo;
  }
}
