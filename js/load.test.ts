import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { moduleLoader, requestOver } from "./load.ts";

type Handler = (message: unknown, buffers: readonly DataView[]) => void;

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

  answer(message: unknown, buffers: readonly DataView[] = []): void {
    for (const handler of this.handlers) handler(message, buffers);
  }
}

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

it("asks once over the comm and listens for its own answer only", async () => {
  const model = new FakeModel();
  const done = new AbortController();
  const answer = requestOver(model)("math", done.signal);
  expect(model.sent).toEqual([{ op: "module", name: "math" }]);
  const source = new DataView(new ArrayBuffer(1));
  model.answer({ op: "patch" });
  model.answer({ op: "module", name: "highlight", id: "h" }, [source]);
  model.answer({ op: "module", name: "math", id: "m" }, [source]);
  expect(await answer).toEqual({ id: "m", source });
  done.abort();
  expect(model.handlers.size).toBe(0);
});

it("gives up after 3 s of silence, for good, and stops listening", async () => {
  const model = new FakeModel();
  const load = moduleLoader(requestOver(model), "silent");
  const first = load("math").catch((error: Error) => error.message);
  await vi.advanceTimersByTimeAsync(2_999);
  expect(model.handlers.size).toBe(1);
  await vi.advanceTimersByTimeAsync(1);
  expect(await first).toBe("no answer for module math");
  await expect(load("math")).rejects.toThrow("no answer");
  expect(model.sent).toHaveLength(1);
  expect(model.handlers.size).toBe(0);
});
