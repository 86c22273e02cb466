import { describe, expect, it } from "vitest";
import type { Json, Op } from "../protocol.ts";
import { PatchError } from "./exact.ts";
import { applyOps } from "./patch.ts";

function apply(state: Json, ...ops: Op[]): Json {
  return applyOps(structuredClone(state), ops);
}

describe("applyOps", () => {
  it("sets and appends at any depth", () => {
    const state = { parts: [{ text: "a", call: { args: { x: ["p"] } } }] };
    const next = apply(
      state,
      ["+", ["parts", 0, "text"], "b"],
      ["=", ["parts", 0, "call", "args", "y"], { z: 1 }],
      ["+", ["parts", 0, "call", "args", "x", 0], "q"],
      ["=", ["status"], "done"],
    );
    expect(next).toEqual({
      parts: [{ text: "ab", call: { args: { x: ["pq"], y: { z: 1 } } } }],
      status: "done",
    });
  });

  it("appends to a list at its length and no further", () => {
    expect(apply({ list: [1] }, ["=", ["list", 1], 2])).toEqual({ list: [1, 2] });
    expect(() => apply({ list: [1] }, ["=", ["list", 2], 2])).toThrow(PatchError);
    expect(() => apply({ list: [1] }, ["=", ["list", "length"], 0])).toThrow(PatchError);
  });

  it("takes large whole numbers by their digits and places", () => {
    const digits = "7310582946120375811";
    const op: Op = [
      "=",
      ["call"],
      { args: { id: digits, text: digits, ids: [digits] } },
      [
        ["args", "id"],
        ["args", "ids", 0],
      ],
    ];
    expect(apply({}, op)).toEqual({
      call: { args: { id: BigInt(digits), text: digits, ids: [BigInt(digits)] } },
    });
    expect(apply({ n: 1 }, ["=", ["n"], digits, [[]]])).toEqual({ n: BigInt(digits) });
  });

  it.each<[string, Op]>([
    ["no digits where a whole number should be", ["=", ["text"], { a: "x" }, [["a"]]]],
    ["no place where a whole number should be", ["=", ["text"], { a: "1" }, [["b", 0]]]],
    ["a path to nothing", ["=", [], { b: 2 }]],
    ["a missing container", ["=", ["nothing", "x"], 1]],
    ["a path through a string", ["=", ["text", "x"], 1]],
    ["an append to a number", ["+", ["count"], "x"]],
    ["an append to nothing", ["+", ["nothing"], "x"]],
    ["a path through a method", ["=", ["toString", "x"], 1]],
  ])("refuses %s", (_, op) => {
    expect(() => apply({ text: "a", count: 1 }, op)).toThrow(PatchError);
  });

  it("keeps __proto__ as an ordinary name, which a model may use for an argument", () => {
    const next = apply({ args: {} }, ["=", ["args", "__proto__"], { polluted: true }]) as { args: object };
    expect(Object.getPrototypeOf(next.args)).toBe(Object.prototype);
    expect(Object.keys(next.args)).toEqual(["__proto__"]);
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
    expect(() => apply({ args: {} }, ["=", ["args", "__proto__", "polluted"], true])).toThrow(PatchError);
    expect(() => apply({}, ["=", ["constructor", "prototype", "polluted"], true])).toThrow(PatchError);
  });
});
