import { expect, it } from "vitest";
import type { Part, Snapshot } from "../protocol.ts";
import { runState, textPart } from "../testing.ts";
import { SavedSource } from "./saved.ts";
import { isStopping } from "./source.ts";

const call = (n: unknown) => ({ ...textPart(0, ""), kind: "call", call: { args: { n } } }) as unknown as Part;

it("holds what was kept, exactly, and leaves it as it was", () => {
  const digits = "7310582946120375811";
  const snapshot: Snapshot = {
    runs: [
      {
        seq: 3,
        at_s: 1,
        state: runState({ parts: [call(digits)] }),
        whole: [["parts", 0, "call", "args", "n"]],
      },
      { seq: 1, at_s: 1, state: runState({ id: "r2" }) },
    ],
  };
  const source = new SavedSource(snapshot);
  expect(source.order).toEqual(["r1", "r2"]);
  expect(source.runs.get("r1")?.state.parts).toEqual([call(BigInt(digits))]);
  expect(snapshot.runs[0]?.state.parts).toEqual([call(digits)]);
});

it("listens to nobody and says nothing", () => {
  const source = new SavedSource({ runs: [{ seq: 1, at_s: 1, state: runState() }] });
  source.act();
  const run = source.runs.get("r1")!;
  expect([source.live, source.saved, isStopping(run, source.link("r1"))]).toEqual([false, true, false]);
  expect(source.link("r1").clock(1000)).toBeNull();
});
