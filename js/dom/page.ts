// What all cards of a page share. Every widget may bring its own copy of this code, so what is one per page hangs on the
// page itself; the number in a name is the version of its shape, since two releases may stand on one page.

/** The one `T` of this page, made by whoever asks first. */
export function pageWide<T extends object>(name: string, make: () => T): T {
  const page = globalThis as { [key: symbol]: unknown };
  const key = Symbol.for(`gemstream/${name}`);
  page[key] ??= make();
  return page[key] as T;
}

/** Tells of an error as if nobody had caught it, and goes on: what one card does wrong must not silence the others. */
export function report(error: unknown): void {
  if (typeof reportError === "function") reportError(error);
  else console.error(error);
}
