// Draws a thing again only when what it shows is something else.

export class Once {
  #key: string | undefined;

  /** Whether `key` differs from the last one, which it then is. */
  isNew(key: string): boolean {
    if (key === this.#key) return false;
    this.#key = key;
    return true;
  }

  /** The next key is new, whichever it is. */
  forget(): void {
    this.#key = undefined;
  }
}
