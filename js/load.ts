/**
 * Brings the modules into the page: the kernel sends their source over the comm, a Blob URL imports it. A module is
 * imported once per page and build, however many cards ask and whichever of them is sent it.
 */
import { BUILD_ID } from "./build_id.ts";
import type { Load, LoadHooks, ModuleName, Modules } from "./contract.ts";
import { attempt, pageWide, report } from "./dom/page.ts";

/** Nobody waits longer than this without a word. */
const silence_ms = 3_000;
/** A question may be lost, so it is asked again after twice the time; so late, nobody is there to answer. */
const last_pause_ms = 600_000;

/** What came, for all cards of one build on this page. */
export class Shelf {
  readonly #sources = new Map<ModuleName, BlobPart>();
  readonly #modules = new Map<ModuleName, Promise<unknown>>();
  readonly #waiting = new Map<ModuleName, Set<() => void>>();

  has(name: ModuleName): boolean {
    return this.#sources.has(name);
  }

  /** Keeps a source that came, asked for or not; the first one stays until it fails. */
  put(name: ModuleName, source: BlobPart): void {
    if (this.has(name)) return;
    this.#sources.set(name, source);
    const waiting = this.#waiting.get(name) ?? [];
    this.#waiting.delete(name);
    for (const arrived of waiting) arrived();
  }

  /** Calls back once when the source comes. */
  wait(name: ModuleName, arrived: () => void): void {
    const waiting = this.#waiting.get(name) ?? new Set();
    this.#waiting.set(name, waiting.add(arrived));
  }

  /** The module whose source is here. One that cannot be imported makes room for another source of that name. */
  take<N extends ModuleName>(name: N): Promise<Modules[N]> {
    let module = this.#modules.get(name);
    if (module === undefined) {
      module = importSource(this.#sources.get(name) ?? "").catch((cause: unknown) => {
        this.#modules.delete(name);
        this.#sources.delete(name);
        const error = new Error(`The module ${name} came, but does not load: ${cause}`, { cause });
        report(error);
        throw error;
      });
      this.#modules.set(name, module);
    }
    return module as Promise<Modules[N]>;
  }
}

function importSource(source: BlobPart): Promise<unknown> {
  const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
  const imported = import(/* @vite-ignore */ url);
  const revoke = () => URL.revokeObjectURL(url);
  void imported.then(revoke, revoke);
  return imported;
}

type Handler = (message: unknown, buffers?: readonly BlobPart[]) => void;

/** The parts of an anywidget model that carry custom messages. A host without a kernel has no way to send. */
export interface MessagePort {
  send?(content: unknown): void;
  on(event: "msg:custom", handler: Handler): void;
  off(event: "msg:custom", handler: Handler): void;
}

/** The loader of one model. From now on until the signal it keeps every module that comes. */
export function moduleLoader(model: MessagePort, signal: AbortSignal, shelf = pageShelf()): Load {
  const hear: Handler = (message, buffers) => {
    const { op, name } = (message ?? {}) as { op?: unknown; name?: unknown };
    const source = buffers?.[0];
    if (op === "module" && typeof name === "string" && source !== undefined)
      shelf.put(name as ModuleName, source);
  };
  model.on("msg:custom", hear);
  signal.addEventListener("abort", () => model.off("msg:custom", hear), { once: true });

  const asked = new Set<ModuleName>();
  const ask = (name: ModuleName, pause_ms = silence_ms): void => {
    if (signal.aborted || shelf.has(name) || pause_ms > last_pause_ms) {
      asked.delete(name);
      return;
    }
    asked.add(name);
    attempt(() => model.send?.({ op: "module", name }));
    const again = setTimeout(() => ask(name, 2 * pause_ms), pause_ms);
    const stop = () => {
      clearTimeout(again);
      asked.delete(name);
    };
    shelf.wait(name, stop);
    signal.addEventListener("abort", stop, { once: true });
  };

  return async <N extends ModuleName>(name: N, { onSilence }: LoadHooks = {}): Promise<Modules[N]> => {
    if (!shelf.has(name)) {
      const silence = setTimeout(() => signal.aborted || onSilence?.(), silence_ms);
      await new Promise<void>((resolve) => {
        shelf.wait(name, resolve);
        if (!asked.has(name)) ask(name);
      });
      clearTimeout(silence);
    }
    return shelf.take(name);
  };
}

/** Two releases may stand on one page: each has its own. */
function pageShelf(): Shelf {
  return pageWide(`modules/${BUILD_ID}`, () => new Shelf());
}
