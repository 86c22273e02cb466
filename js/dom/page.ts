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

/** Does it, and tells of what it throws. */
export function attempt(action: () => void): void {
  try {
    action();
  } catch (error) {
    report(error);
  }
}

/** One of something for all who listen to it. It starts with the first of them and stops when the last one leaves. */
export class Hub<T> {
  readonly #listeners = new Set<(news: T) => void>();
  readonly #start: (tell: (news: T) => void) => () => void;
  #stop: (() => void) | undefined;

  /** `start` gives what stops it again. */
  constructor(start: (tell: (news: T) => void) => () => void) {
    this.#start = start;
  }

  subscribe(listener: (news: T) => void, signal: AbortSignal): void {
    if (signal.aborted) return;
    this.#listeners.add(listener);
    signal.addEventListener("abort", () => this.#leave(listener), { once: true });
    this.#stop ??= this.#start((news) => this.#tell(news));
  }

  #tell(news: T): void {
    for (const listener of this.#listeners) attempt(() => listener(news));
  }

  #leave(listener: (news: T) => void): void {
    this.#listeners.delete(listener);
    if (this.#listeners.size > 0) return;
    this.#stop?.();
    this.#stop = undefined;
  }
}
