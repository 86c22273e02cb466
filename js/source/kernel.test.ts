import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { CallPart, Part, Path, RunState } from "../protocol.ts";
import type { RunEntry } from "../state/entry.ts";
import { append, hello, openSource, runState, TestListener, TestModel, textPart } from "../testing.ts";
import { KernelSource } from "./kernel.ts";

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

const text = (run: RunEntry) => run.state.parts.map((part) => ("text" in part ? part.text : "")).join("|");

describe("a source", () => {
  it("asks for everything at the start and reads the trait", () => {
    model.traits.snapshot = { runs: [{ seq: 4, at_s: 0.5, state: hello() }] };
    const source = new KernelSource(model, life.signal);
    expect(model.sent).toEqual([{ op: "resync", run: null, have: 0 }]);
    expect(source.runs.get("r1")?.seq).toBe(4);
  });

  it("applies the next patch", () => {
    const { run } = open();
    model.patch(2, append("llo"));
    model.patch(3, append("!"), ["=", ["tokens"], 7]);
    expect(text(run)).toBe("Hello!");
    expect(run.state.tokens).toBe(7);
    expect(model.sent).toEqual([]);
  });

  it("leaves the trait's own value alone", () => {
    const state = hello();
    open(state);
    model.patch(2, append("llo"));
    expect(state.parts[0]).toMatchObject({ text: "He" });
  });

  it("holds large whole numbers exactly, in patches, snapshots and the trait", () => {
    const call = (n: unknown) =>
      ({ ...textPart(0, ""), kind: "call", call: { args: { n } } }) as unknown as Part;
    const whole: Path[] = [["parts", 0, "call", "args", "n"]];
    const digits = "7310582946120375811";
    const held = (run: RunEntry) => (run.state.parts[0] as CallPart).call.args.n;
    model.traits.snapshot = {
      runs: [{ seq: 1, at_s: 0, state: runState({ parts: [call(digits)] }), whole }],
    };
    const source = new KernelSource(model, life.signal);
    const run = source.runs.get("r1")!;
    expect(held(run)).toBe(7310582946120375811n);
    model.patch(2, ["=", ["parts", 0, "call", "args"], { n: "18446744073709551616" }, [["n"]]]);
    expect(held(run)).toBe(2n ** 64n);
    const state = runState({ parts: [call("-18446744073709551616")] });
    model.emit("msg:custom", { op: "snap", run: "r1", seq: 3, at_s: 1, state, whole }, []);
    expect(held(run)).toBe(-(2n ** 64n));
  });

  it("takes no snapshot whose numbers are not where they should be", () => {
    const { run } = open();
    model.emit(
      "msg:custom",
      { op: "snap", run: "r1", seq: 2, at_s: 1, state: hello(), whole: [["model"]] },
      [],
    );
    expect(run.seq).toBe(1);
    model.snap(2, hello());
    expect(run.seq).toBe(2);
  });

  it("drops a duplicate and a late patch", () => {
    const { run } = open();
    model.patch(2, append("llo"));
    model.patch(2, append("llo"));
    model.patch(1, append("XX"));
    expect(text(run)).toBe("Hello");
    expect(model.sent).toEqual([]);
  });

  it("asks once for what is missing and goes on from the answer", () => {
    const { run } = open();
    model.patch(3, append("o"));
    model.patch(4, append("!"));
    expect(model.take("resync")).toEqual([{ op: "resync", run: "r1", have: 1 }]);
    expect(text(run)).toBe("He");
    model.snap(3, runState({ parts: [textPart(0, "Hello")] }));
    expect(text(run)).toBe("Hello!");
    model.patch(5, append("?"));
    expect(text(run)).toBe("Hello!?");
  });

  it("puts patches in order when they only overtook each other", () => {
    const { run } = open();
    model.patch(3, append("o"));
    model.patch(2, append("ll"));
    expect(text(run)).toBe("Hello");
    model.snap(2, runState({ parts: [textPart(0, "Hell")] }));
    expect(text(run)).toBe("Hello");
  });

  it("asks about a run it does not know", () => {
    const { source } = open();
    model.emit("msg:custom", { op: "patch", run: "r2", seq: 5, ops: [] }, []);
    model.beat(5, "streaming", "r3");
    expect(model.take("resync").map((message) => "run" in message && message.run)).toEqual(["r2", "r3"]);
    model.snap(5, runState({ id: "r2" }));
    expect([...source.runs.keys()]).toEqual(["r1", "r2"]);
  });

  it("counts the time of a run that was queued from its turn", () => {
    const { source, run } = open(runState({ status: "queued" }));
    const clock = () => source.link("r1").clock(performance.now());
    for (let beat = 0; beat < 5; beat++) {
      vi.advanceTimersByTime(2000);
      model.beat(1, "queued", "r1", 0);
    }
    expect(clock()).toBe(null);
    model.patch(2, ["=", ["status"], "pending"]);
    expect([run.state.status, clock()]).toEqual(["pending", 0]);
    vi.advanceTimersByTime(1500);
    expect(clock()).toBe(1.5);
    expect(model.sent).toEqual([]);
  });

  it("learns the time from a snapshot that tells of the turn", () => {
    const { source } = open(runState({ status: "queued" }));
    model.snap(3, runState({ status: "streaming" }), 4);
    vi.advanceTimersByTime(500);
    expect(source.link("r1").clock(performance.now())).toBe(4.5);
  });

  it("is content with a beat that agrees and asks after one that does not", () => {
    const { run } = open();
    model.beat(1);
    expect(model.sent).toEqual([]);
    model.beat(2);
    expect(model.take("resync")).toEqual([{ op: "resync", run: "r1", have: 1 }]);
    model.snap(2, runState({ parts: [textPart(0, "Hey")] }));
    expect(text(run)).toBe("Hey");
  });

  it("gets the last message back when that was the lost one", () => {
    const { run } = open();
    model.beat(2, "completed");
    model.snap(2, runState({ status: "completed", ended_s: 2, parts: [textPart(0, "Hello")] }));
    expect(run.ended).toBe(true);
    expect(text(run)).toBe("Hello");
    model.beat(2, "completed");
    expect(model.take("resync")).toHaveLength(1);
  });

  it("follows a kernel that names a lower number than its own", () => {
    const { run } = open();
    model.patch(2, append("llo"));
    model.beat(1);
    model.snap(1, runState({ parts: [textPart(0, "A")] }));
    expect(text(run)).toBe("A");
    model.patch(2, append("B"));
    expect(text(run)).toBe("AB");
  });

  it("ignores a snapshot older than what it has", () => {
    const { run } = open();
    model.patch(2, append("llo"));
    model.snap(1, hello());
    expect(text(run)).toBe("Hello");
  });

  it("asks anew when a patch does not fit", () => {
    const { run } = open();
    model.patch(2, ["+", ["parts", 9, "text"], "x"]);
    expect(model.take("resync")).toEqual([{ op: "resync", run: "r1", have: 1 }]);
    model.snap(2, runState({ parts: [textPart(0, "Hello")] }));
    expect(text(run)).toBe("Hello");
  });

  it("asks again every 1.5 s while a run goes, and gives up when nothing waits for it", () => {
    open();
    model.patch(3, append("o"));
    vi.advanceTimersByTime(15_000);
    expect(model.take("resync")).toHaveLength(11);
    model.snap(3, runState({ status: "completed", parts: [textPart(0, "Hello")] }));
    vi.advanceTimersByTime(15_000);
    expect(model.sent).toEqual([]);
    model.beat(9, "completed");
    vi.advanceTimersByTime(60_000);
    expect(model.take("resync")).toHaveLength(5);
  });

  it("asks about a run that goes on and is not spoken of any more", () => {
    const { run } = open();
    for (let beat = 0; beat < 3; beat++) {
      vi.advanceTimersByTime(5000);
      model.beat(1);
    }
    expect(model.take("resync")).toEqual([]);
    vi.advanceTimersByTime(9000);
    expect(model.take("resync")[0]).toEqual({ op: "resync", run: "r1", have: 1 });
    model.snap(7, runState({ status: "completed" }));
    expect(run.ended).toBe(true);
    vi.advanceTimersByTime(60_000);
    expect(model.take("resync")).toEqual([]);
  });

  it("merges the trait when it is newer", () => {
    const { run } = open();
    const state = runState({ status: "completed", parts: [textPart(0, "Hello")] });
    model.traits.snapshot = { runs: [{ seq: 7, at_s: 3, state }] };
    model.emit("change:snapshot");
    expect(run.seq).toBe(7);
    expect(text(run)).toBe("Hello");
    model.traits.snapshot = { runs: [{ seq: 2, at_s: 1, state: hello() }] };
    model.emit("change:snapshot");
    expect(text(run)).toBe("Hello");
  });

  it.each([
    ["nothing", null],
    ["a word", "hello"],
    ["another protocol", { op: "dance" }],
    ["no op", { run: "r1" }],
    ["a snapshot of nothing", { op: "snap", run: "r1", seq: 9, at_s: 1, state: null }],
  ])("survives %s as a message", (_, message) => {
    const { run } = open();
    model.emit("msg:custom", message, []);
    expect(text(run)).toBe("He");
  });
});

describe("views", () => {
  it("hear the same, each on its own", () => {
    const { source } = open();
    const [one, two] = [new TestListener(), new TestListener()];
    const second = new AbortController();
    source.subscribe(one, life.signal);
    source.subscribe(two, second.signal);
    model.patch(2, append("llo"));
    second.abort();
    model.patch(3, append("!"));
    expect(one.seen).toEqual(["ops r1 1", "ops r1 1"]);
    expect(two.seen).toEqual(["ops r1 1"]);
  });

  it("get appended text as it came and everything else as a part to read", () => {
    const { source } = open();
    const view = new TestListener();
    source.subscribe(view, life.signal);
    view.changes.clear();
    model.patch(2, append("l"), append("lo"));
    model.patch(
      3,
      ["=", ["parts", 1], { kind: "text", text: "new" }],
      ["=", ["tokens"], 3],
      ["=", ["steps", 0], {}],
    );
    expect(view.changes.parts.get(0)).toEqual({ appended: ["l", "lo"], whole: false });
    expect(view.changes.parts.get(1)?.whole).toBe(true);
    expect([...view.changes.fields, ...view.changes.steps]).toEqual(["tokens", 0]);
    expect(view.changes.reset).toBe(false);
  });

  it("go on after a snapshot that grew from what they drew, and start anew after any other", () => {
    const { source } = open();
    const view = new TestListener();
    source.subscribe(view, life.signal);
    view.changes.clear();
    model.beat(5);
    model.snap(5, runState({ parts: [textPart(0, "Hello"), textPart(1, "you")] }));
    expect(view.changes.reset).toBe(false);
    expect(view.changes.parts.size).toBe(2);
    model.beat(6);
    model.snap(6, runState({ parts: [textPart(0, "Bye")] }));
    expect(view.changes.reset).toBe(true);
  });

  it("hear although another one fails", () => {
    const { source } = open();
    const [bad, good] = [new TestListener(), new TestListener()];
    bad.ops = () => {
      throw new Error("broken");
    };
    const told = vi.spyOn(console, "error").mockImplementation(() => {});
    source.subscribe(bad, life.signal);
    source.subscribe(good, life.signal);
    model.patch(2, append("llo"));
    expect(good.seen).toEqual(["ops r1 1"]);
    expect(told).toHaveBeenCalledOnce();
  });

  it("say each thing once", () => {
    const { source } = open();
    const link = source.link("r1");
    expect([link.say("a"), link.say("a"), link.say("b")]).toEqual([true, false, true]);
  });

  it("hear nothing after the model's end, and no timer is left", () => {
    const { source } = open();
    const view = new TestListener();
    source.subscribe(view, new AbortController().signal);
    model.patch(9, append("x"));
    life.abort();
    model.patch(2, append("x"));
    expect(view.seen).toEqual([]);
    expect(vi.getTimerCount()).toBe(0);
    expect([...model.listeners.values()].every((set) => set.size === 0)).toBe(true);
  });
});

describe("the clock", () => {
  it("runs on this page and takes the least delayed word of the kernel", () => {
    const { source } = open();
    const now = performance.now();
    expect(source.link("r1").clock(now)).toBeCloseTo(1);
    model.beat(1, "streaming", "r1", 3);
    expect(source.link("r1").clock(now + 500)).toBeCloseTo(3.5);
    model.beat(1, "streaming", "r1", 2.8);
    expect(source.link("r1").clock(now)).toBeCloseTo(3);
    model.beat(1, "streaming", "r1", 0.2);
    expect(source.link("r1").clock(now)).toBeCloseTo(0.2);
  });
});
