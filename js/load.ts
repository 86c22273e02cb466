import type { ModuleName } from "./protocol.ts";

/**
 * Brings the second modules into the page: the kernel sends their source over the comm, a Blob URL imports it.
 * A module is imported once per page, however many widgets ask, and a kernel that stays silent is asked only once:
 * from then on this page shows plain text.
 */

export type { ModuleName };

/** What the kernel answers: the content's hash and its source. */
export interface ModuleSource {
  id: string;
  source: BlobPart;
}

/** Asks the kernel for a module; the signal says that no answer is wanted any more. */
export type RequestModule = (name: ModuleName, signal: AbortSignal) => Promise<ModuleSource>;

interface PageModules {
  /** Imported modules by content id: two versions of the package may share a page. */
  imported: Map<string, Promise<unknown>>;
  /** The same by package version and name, so that a second widget need not have the source sent again. */
  ready: Map<string, unknown>;
}

const SILENCE_MS = 3_000;
const KEY = Symbol.for("gemstream/modules");

function pageModules(): PageModules {
  const page = globalThis as typeof globalThis & { [KEY]?: PageModules };
  page[KEY] ??= { imported: new Map(), ready: new Map() };
  return page[KEY];
}

function importSource(source: BlobPart): Promise<unknown> {
  const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
  const imported = import(/* @vite-ignore */ url);
  const revoke = () => URL.revokeObjectURL(url);
  void imported.then(revoke, revoke);
  return imported;
}

function importOnce({ id, source }: ModuleSource): Promise<unknown> {
  const { imported } = pageModules();
  let module = imported.get(id);
  if (module === undefined) {
    module = importSource(source);
    imported.set(id, module);
  }
  return module;
}

async function ask(name: ModuleName, request: RequestModule): Promise<unknown> {
  const wanted = new AbortController();
  const silence = new Promise<never>((_resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no answer for module ${name}`)), SILENCE_MS);
    wanted.signal.addEventListener("abort", () => clearTimeout(timer), { once: true });
  });
  try {
    return await importOnce(await Promise.race([request(name, wanted.signal), silence]));
  } finally {
    wanted.abort();
  }
}

/**
 * A loader for one widget model. It asks for each module once; a rejection stays.
 * `request` sends `{op: "module", name}` and resolves with the answer's `id` and buffer. Widgets of the same
 * `version` share what one of them was sent.
 */
export function moduleLoader(
  request: RequestModule,
  version: string,
): (name: ModuleName) => Promise<unknown> {
  const asked = new Map<ModuleName, Promise<unknown>>();
  const load = async (name: ModuleName): Promise<unknown> => {
    const { ready } = pageModules();
    const key = `${version}/${name}`;
    if (!ready.has(key)) ready.set(key, await ask(name, request));
    return ready.get(key);
  };
  return (name) => {
    let answer = asked.get(name);
    if (answer === undefined) {
      answer = load(name);
      asked.set(name, answer);
    }
    return answer;
  };
}

/** The parts of an anywidget model that carry custom messages. */
interface MessagePort {
  send(content: unknown): void;
  on(event: "msg:custom", handler: (message: unknown, buffers: readonly DataView[]) => void): void;
  off(event: "msg:custom", handler: (message: unknown, buffers: readonly DataView[]) => void): void;
}

/** The request function for an anywidget model. */
export function requestOver(model: MessagePort): RequestModule {
  return (name, signal) =>
    new Promise((resolve) => {
      const answered = (message: unknown, buffers: readonly DataView[]) => {
        const { op, name: answeredName, id } = message as { op?: string; name?: string; id?: string };
        const source = buffers[0];
        if (op !== "module" || answeredName !== name || id === undefined || source === undefined) return;
        resolve({ id, source: source as DataView<ArrayBuffer> });
      };
      model.on("msg:custom", answered);
      signal.addEventListener("abort", () => model.off("msg:custom", answered), { once: true });
      model.send({ op: "module", name });
    });
}
