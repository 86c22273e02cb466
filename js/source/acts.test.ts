// What readers ask for, and whether anybody hears it.
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { RunState } from "../protocol.ts";
import { hello, openSource, runState, TestListener, TestModel, textPart } from "../testing.ts";
import { KernelSource } from "./kernel.ts";
import { isStopping } from "./source.ts";

let model: TestModel;
let life: AbortController;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
  vi.spyOn(console, "warn").mockImplementation(() => {});
  model = new TestModel();
  life = new AbortController();
});
afterEach(() => {
  life.abort();
  vi.useRealTimers();
  vi.restoreAllMocks();
});

const open = (state?: RunState) => openSource(model, life.signal, state);

describe("Stop", () => {
  it("goes out by trait and by message, names its run and shows at once", () => {
    const { source, run } = open();
    source.act({ op: "stop", run: "r1" });
    expect(model.traits.stop_run).toBe("r1");
    expect(model.saves).toBe(1);
    expect(model.take("stop")).toEqual([{ op: "stop", run: "r1" }]);
    expect(isStopping(run, source.link("r1"))).toBe(true);
  });

  it("is repeated until the kernel takes it", () => {
    const { source, run } = open();
    source.act({ op: "stop", run: "r1" });
    model.take("stop");
    vi.advanceTimersByTime(1600);
    expect(model.take("stop")).toHaveLength(1);
    model.patch(2, ["=", ["status"], "cancelled"]);
    vi.advanceTimersByTime(20_000);
    expect(model.take("stop")).toEqual([]);
    expect(isStopping(run, source.link("r1"))).toBe(false);
  });

  it("asks nothing of a run that ended or does not exist", () => {
    const { source } = open(runState({ status: "completed" }));
    source.act({ op: "stop", run: "r1" });
    source.act({ op: "stop", run: "r9" });
    expect(model.take("stop")).toEqual([]);
    expect(model.saves).toBe(0);
  });

  it("works when the host refuses traits, and when it refuses messages", () => {
    const { source } = open();
    model.save_changes = () => {
      throw new Error("no traits here");
    };
    source.act({ op: "stop", run: "r1" });
    expect(model.take("stop")).toHaveLength(1);
    model.send = () => {
      throw new Error("no messages here");
    };
    source.act({ op: "stop", run: "r1" });
    expect(model.traits.stop_run).toBe("r1");
  });
});

describe("decisions", () => {
  const choice = { hash: "h1", verdict: "approve", args: '{"a":1}', reason: null, scope: "run" } as const;

  it("are sent as they are and remembered for every view", () => {
    const { source } = open();
    const view = new TestListener();
    source.subscribe(view, life.signal);
    source.act({ op: "decide", run: "r1", call: "s0c0", ...choice });
    expect(model.take("decide")).toEqual([{ op: "decide", run: "r1", call: "s0c0", ...choice }]);
    expect(source.link("r1").decisions.get("s0c0")).toMatchObject({
      hash: "h1",
      verdict: "approve",
      refused: null,
    });
    expect(view.seen).toEqual(["link r1"]);
  });

  it("that are refused keep the kernel's words until the next one", () => {
    const { source } = open();
    const refuse = (call: string) =>
      model.emit("msg:custom", { op: "refused", run: "r1", call, message: "Too late." }, []);
    source.act({ op: "decide", run: "r1", call: "s0c0", ...choice });
    refuse("s0c0");
    refuse("s0c1");
    expect(source.link("r1").decisions.get("s0c0")).toMatchObject({ hash: "h1", refused: "Too late." });
    expect(source.link("r1").decisions.get("s0c1")).toMatchObject({ hash: null, refused: "Too late." });
    source.act({ op: "decide", run: "r1", call: "s0c0", ...choice });
    expect(source.link("r1").decisions.get("s0c0")?.refused).toBeNull();
  });

  it("about unknown runs go nowhere", () => {
    const { source } = open();
    source.act({ op: "decide", run: "r9", call: "s0c0", ...choice });
    model.emit("msg:custom", { op: "refused", run: "r9", call: "s0c0", message: "x" }, []);
    expect(model.sent).toEqual([]);
  });

  it("can be taken back as rules", () => {
    const { source } = open();
    source.act({ op: "revoke", run: "r1", rule: "x1" });
    expect(model.sent).toEqual([{ op: "revoke", run: "r1", rule: "x1" }]);
  });
});

describe("asking again", () => {
  it("is sent once, told to every view, and a refusal keeps the kernel's words", () => {
    const { source } = open();
    const view = new TestListener();
    source.subscribe(view, life.signal);
    source.act({ op: "again", run: "r1", how: "anew" });
    expect(model.take("again")).toEqual([{ op: "again", run: "r1", how: "anew" }]);
    expect(source.link("r1").again).toEqual({ refused: null });
    model.emit("msg:custom", { op: "refused", run: "r1", call: null, message: "It went on." }, []);
    expect(source.link("r1").again).toEqual({ refused: "It went on." });
    expect(source.link("r1").decisions.size).toBe(0);
    expect(view.seen).toEqual(["link r1", "link r1"]);
  });

  it("may be repeated where no answer comes", () => {
    vi.useFakeTimers();
    const { source } = open();
    source.act({ op: "again", run: "r1", how: "anew" });
    vi.advanceTimersByTime(4999);
    expect(source.link("r1").again).toEqual({ refused: null });
    vi.advanceTimersByTime(1);
    expect(source.link("r1").again).toBeNull();
    vi.useRealTimers();
  });
});

describe("whoever listens", () => {
  const saved = (state: RunState) => {
    model.traits.snapshot = { runs: [{ seq: 1, at_s: 0.5, state }] };
    const source = new KernelSource(model, life.signal);
    const view = new TestListener();
    source.subscribe(view, life.signal);
    return { source, view };
  };

  it("is known once a kernel spoke", () => {
    const { source, view } = saved(hello());
    expect([source.live, source.saved]).toEqual([false, false]);
    model.beat(1);
    model.beat(1);
    expect([source.live, source.saved, view.seen]).toEqual([true, false, ["live"]]);
  });

  it.each([
    ["streaming", 55], // the connection may come back: now and then, for five minutes
    ["completed", 5],
  ] as const)("is nobody when a %s state was saved and nobody answers", (status, asked) => {
    const { source, view } = saved(runState({ status }));
    vi.advanceTimersByTime(3_600_000);
    expect(model.take("resync")).toHaveLength(asked);
    expect([source.live, source.saved, view.seen]).toEqual([false, true, ["live"]]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("may still be heard later", () => {
    const { source, view } = saved(hello());
    vi.advanceTimersByTime(60_000);
    model.snap(2, runState({ status: "streaming", parts: [textPart(0, "Hello")] }));
    expect([source.live, source.saved]).toEqual([true, false]);
    expect(view.seen).toEqual(["live", "live", "snapshot r1"]);
    model.sent.length = 0;
    vi.advanceTimersByTime(60_000);
    expect(model.take("resync").length).toBeGreaterThan(10);
  });
});
