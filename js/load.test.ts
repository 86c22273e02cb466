// @vitest-environment happy-dom
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { moduleLoader, Shelf } from "./load.ts";

type Handler = (message: unknown, buffers?: readonly BlobPart[]) => void;

class FakeModel {
  readonly sent: unknown[] = [];
  readonly handlers = new Set<Handler>();

  send(content: unknown): void {
    this.sent.push(content);
  }

  on(_event: string, handler: Handler): void {
    this.handlers.add(handler);
  }

  off(_event: string, handler: Handler): void {
    this.handlers.delete(handler);
  }

  answer(message: unknown, ...rest: (readonly BlobPart[])[]): void {
    for (const handler of this.handlers) handler(message, ...rest);
  }
}

const math = { op: "module", name: "math", id: "m" };
const question = { op: "module", name: "math" };
const source = new TextEncoder().encode("export const css = 'of math';");
let life: AbortController;
let model: FakeModel;
let shelf: Shelf;

beforeEach(() => {
  vi.useFakeTimers();
  // Blob URLs cannot be imported here; what is imported is the same text.
  vi.spyOn(URL, "createObjectURL").mockImplementation(() => url);
  life = new AbortController();
  model = new FakeModel();
  shelf = new Shelf();
});

afterEach(() => {
  life.abort();
  vi.useRealTimers();
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
});

let url = "";
function importable(text: string): readonly BlobPart[] {
  url = `data:text/javascript,${encodeURIComponent(text)}`;
  return [text];
}

function loader(of = model) {
  return moduleLoader(of, life.signal, shelf);
}

describe("a module", () => {
  it("is asked for once, however many wait, and comes to all", async () => {
    const load = loader();
    const both = Promise.all([load("math"), load("math")]);
    expect(model.sent).toEqual([question]);
    model.answer({ op: "patch" }, []);
    model.answer({ ...math, name: "highlight" }, [source]);
    model.answer(math, importable("export const css = 'of math';"));
    const [first, second] = await both;
    expect(first.css).toBe("of math");
    expect(second).toBe(first);
    expect(await load("math")).toBe(first);
    expect(model.sent).toHaveLength(1);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("is kept when it comes unasked", async () => {
    const load = loader();
    model.answer(math, importable("export const css = 'unasked';"));
    expect((await load("math")).css).toBe("unasked");
    expect(model.sent).toEqual([]);
  });

  it("comes to every card of the page, whichever was sent it", async () => {
    const other = new FakeModel();
    const [load, otherLoad] = [loader(), loader(other)];
    const both = Promise.all([load("math"), otherLoad("math")]);
    other.answer(math, importable("export const css = 'shared';"));
    const [first, second] = await both;
    expect(first).toBe(second);
  });

  it("is asked for again while somebody waits, ever more rarely, and not for ever", async () => {
    void loader()("math");
    const counts: number[] = [];
    for (const seconds of [2.9, 0.2, 6, 12, 24]) {
      await vi.advanceTimersByTimeAsync(seconds * 1000);
      counts.push(model.sent.length);
    }
    expect(counts).toEqual([1, 2, 3, 4, 5]);
    await vi.advanceTimersByTimeAsync(3_600_000);
    expect(model.sent.length).toBeLessThan(10);
    expect(vi.getTimerCount()).toBe(0);
    void loader()("math");
    expect(model.sent.at(-1)).toEqual(question);
  });

  it("is late after 3 s of silence, and welcome whenever it comes", async () => {
    const onSilence = vi.fn();
    const answer = loader()("math", { onSilence });
    await vi.advanceTimersByTimeAsync(2_999);
    expect(onSilence).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(3_600_000);
    expect(onSilence).toHaveBeenCalledOnce();
    model.answer(math, importable("export const css = 'late';"));
    expect((await answer).css).toBe("late");
  });

  it("that is in time is told of by no silence", async () => {
    const onSilence = vi.fn();
    const answer = loader()("math", { onSilence });
    model.answer(math, importable("export const css = '';"));
    await answer;
    await vi.advanceTimersByTimeAsync(10_000);
    expect(onSilence).not.toHaveBeenCalled();
  });

  it("that cannot be imported is told of, and another one may come", async () => {
    const told = vi.fn();
    vi.stubGlobal("reportError", told);
    const load = loader();
    const broken = load("math");
    model.answer(math, importable("throw new Error('not this build')"));
    await expect(broken).rejects.toThrow("The module math came, but does not load: Error: not this build");
    expect(told).toHaveBeenCalledOnce();
    const mended = load("math");
    expect(model.sent).toHaveLength(2);
    model.answer(math, importable("export const css = 'mended';"));
    expect((await mended).css).toBe("mended");
  });
});

describe("a host", () => {
  it("may give no buffers", async () => {
    const load = loader();
    const answer = load("math");
    model.answer({ op: "beat" });
    model.answer(math);
    model.answer(math, []);
    model.answer(null);
    model.answer(math, importable("export const css = 'after all';"));
    expect((await answer).css).toBe("after all");
  });

  it("may have no way to send, or one that fails", async () => {
    const told = vi.fn();
    vi.stubGlobal("reportError", told);
    const mute = { on: () => {}, off: () => {} };
    const failing = Object.assign(new FakeModel(), {
      send() {
        throw new Error("closed");
      },
    });
    const onSilence = vi.fn();
    void moduleLoader(mute, life.signal, shelf)("math", { onSilence });
    void moduleLoader(failing, life.signal, shelf)("math", { onSilence });
    await vi.advanceTimersByTimeAsync(3_000);
    expect(onSilence).toHaveBeenCalledTimes(2);
    expect(told).toHaveBeenCalled();
  });

  it("is left alone after the signal", async () => {
    const onSilence = vi.fn();
    void loader()("math", { onSilence });
    expect(model.handlers.size).toBe(1);
    life.abort();
    expect(model.handlers.size).toBe(0);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(model.sent).toHaveLength(1);
    expect(onSilence).not.toHaveBeenCalled();
  });
});
