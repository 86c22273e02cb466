import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { onFrame } from "./frame.ts";

let requests: (() => void)[] = [];
const life = new AbortController();

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
  requests = [];
  vi.stubGlobal("requestAnimationFrame", (call: () => void) => requests.push(call));
  vi.stubGlobal("cancelAnimationFrame", () => {});
});

afterEach(() => {
  while (requests.length > 0) frame();
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

function frame(): void {
  const calls = requests;
  requests = [];
  for (const call of calls) call();
}

/** Work that takes `cost_ms` and is done after `times`. */
function work(name: string, log: string[], cost_ms = 0, times = 1) {
  let left = times;
  return () => {
    log.push(name);
    vi.advanceTimersByTime(cost_ms);
    return --left > 0;
  };
}

describe("the page's frame", () => {
  it("is asked for once, and not when nothing waits", () => {
    const log: string[] = [];
    const once = work("a", log);
    onFrame(once, life.signal);
    onFrame(once, life.signal);
    onFrame(work("b", log), life.signal);
    expect(requests).toHaveLength(1);
    frame();
    expect(log).toEqual(["a", "b"]);
    expect(requests).toHaveLength(0);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("gives what is left another frame", () => {
    const log: string[] = [];
    onFrame(work("a", log, 0, 3), life.signal);
    for (let i = 0; i < 5; i++) frame();
    expect(log).toEqual(["a", "a", "a"]);
  });

  it("has one deadline for all, and whoever was not reached comes first", () => {
    const log: string[] = [];
    for (const name of ["a", "b", "c"]) onFrame(work(name, log, 5, 2), life.signal);
    frame();
    expect(log).toEqual(["a", "b"]);
    frame();
    expect(log).toEqual(["a", "b", "c", "a"]);
    frame();
    expect(log).toEqual(["a", "b", "c", "a", "b", "c"]);
  });

  it("still takes what is added while it draws", () => {
    const log: string[] = [];
    onFrame(() => {
      onFrame(work("inner", log), life.signal);
      return false;
    }, life.signal);
    frame();
    expect(log).toEqual(["inner"]);
  });

  it("gives nobody two turns, not even whoever asks again while it draws", () => {
    const log: string[] = [];
    const gone = new AbortController();
    const again = () => {
      log.push("a");
      onFrame(again, gone.signal);
      return true;
    };
    onFrame(again, gone.signal);
    frame();
    expect(log).toEqual(["a"]);
    frame();
    expect(log).toEqual(["a", "a"]);
    gone.abort();
  });

  it("goes on after work that throws, and tells of it", () => {
    const log: string[] = [];
    const told = vi.fn();
    vi.stubGlobal("reportError", told);
    onFrame(() => {
      throw new Error("broken");
    }, life.signal);
    onFrame(work("a", log), life.signal);
    frame();
    expect(log).toEqual(["a"]);
    expect(told).toHaveBeenCalledOnce();
  });

  it("calls nothing after its signal", () => {
    const log: string[] = [];
    const gone = new AbortController();
    onFrame(work("gone", log), gone.signal);
    onFrame(work("here", log), life.signal);
    gone.abort();
    frame();
    expect(log).toEqual(["here"]);
  });

  it("comes by a timer where no frames come", () => {
    const log: string[] = [];
    onFrame(work("a", log), life.signal);
    vi.advanceTimersByTime(250);
    expect(log).toEqual(["a"]);
  });
});
