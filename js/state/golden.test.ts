// The reducer in Python and the fold on the page agree, state by state.
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { Json, Op } from "../protocol.ts";
import { applyOps } from "./patch.ts";

const folder = new URL("../../tests/data/golden/", import.meta.url);

interface Golden {
  name: string;
  patches: Op[][];
  /** By seq; 0 is the opening state. */
  snapshots: { [seq: string]: Json };
}

function files(): string[] {
  try {
    return readdirSync(folder).filter((name) => name.endsWith(".json"));
  } catch {
    return [];
  }
}

describe.skipIf(files().length === 0)("golden files", () => {
  it.each(files())("%s", (name) => {
    const golden = JSON.parse(readFileSync(new URL(name, folder), "utf8")) as Golden;
    let state = structuredClone(golden.snapshots["0"] ?? null);
    golden.patches.forEach((ops, index) => {
      state = applyOps(state, ops);
      const expected = golden.snapshots[String(index + 1)];
      if (expected !== undefined) expect(state, `after patch ${index + 1}`).toEqual(expected);
    });
    expect(golden.snapshots[String(golden.patches.length)]).toBeDefined();
  });
});
