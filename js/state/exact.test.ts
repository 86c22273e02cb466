import { describe, expect, it } from "vitest";
import type { Json, Path } from "../protocol.ts";
import { jsonText, PatchError, same, withWhole } from "./exact.ts";

const values: Json[] = [
  null,
  true,
  -0.5,
  1e-7,
  "n12",
  's"\\u00e9\\ud83d\ud83d',
  [],
  {},
  [[], {}, [1, [2, { a: null }]]],
  { a: [], "": { "s b": "12345678901234567890" } },
  JSON.parse('{"__proto__": {"a": 1}, "constructor": [2]}') as Json,
];

describe("JSON text", () => {
  it.each(values)("of %j is JSON.stringify's", (value) => {
    for (const indent of [0, 1, 2]) expect(jsonText(value, indent)).toBe(JSON.stringify(value, null, indent));
  });

  it("stops soon after its limit", () => {
    const big = Array.from({ length: 100_000 }, (_, i) => i);
    expect(jsonText(big, 2, 200).length).toBeLessThan(220);
    expect(jsonText({ text: "x".repeat(100_000) }, 2, 200).length).toBeLessThan(300);
  });

  it("survives values nested deeper than anybody reads", () => {
    let deep: Json = 1;
    for (let i = 0; i < 1000; i++) deep = [deep];
    expect(jsonText(deep)).toHaveLength(2001);
    for (let i = 0; i < 4000; i++) deep = [deep];
    expect(jsonText(deep, 2, undefined, 64)).toContain("[…]");
  });

  it.each([
    [2n ** 53n, "9007199254740992"],
    [{ a: [-(10n ** 30n)] }, `{"a":[-1${"0".repeat(30)}]}`],
    [1e20, "1e+20"],
    [2 ** 60, "1.152921504606847e+18"],
    [Number.MAX_SAFE_INTEGER, "9007199254740991"],
  ] as [Json, string][])("of %s is %s", (value, text) => {
    expect(jsonText(value)).toBe(text);
  });
});

describe("a whole number", () => {
  it("comes as its digits and the places where they stand", () => {
    const sent = { a: ["1", { b: "9007199254740993" }], c: "9007199254740993", d: "-18446744073709551616" };
    const whole: Path[] = [["a", 1, "b"], ["d"]];
    expect(withWhole(sent, whole)).toEqual({
      a: ["1", { b: 9007199254740993n }],
      c: "9007199254740993",
      d: -(2n ** 64n),
    });
    expect(withWhole<Json>("9007199254740993", [[]])).toBe(9007199254740993n);
    expect(withWhole(sent)).toBe(sent);
  });

  it("may stand under any name", () => {
    const sent = JSON.parse('{"__proto__": "9007199254740993"}') as { [name: string]: Json };
    const got = withWhole(sent, [["__proto__"]]);
    expect(Object.entries(got)).toEqual([["__proto__", 9007199254740993n]]);
    expect(Object.getPrototypeOf(got)).toBe(Object.prototype);
  });

  it.each([[["b"]], [["a"]], [["a", 0]], [["toString"]], [["t"]], [[]]] as [Path][])(
    "is not at %j",
    (path) => {
      expect(() => withWhole({ a: [], t: "12x" }, [path])).toThrow(PatchError);
    },
  );
});

it("values are the same digit by digit", () => {
  expect(same({ a: 2n ** 60n }, { a: 2n ** 60n })).toBe(true);
  expect(same({ a: 2n ** 60n }, { a: 2n ** 60n + 1n })).toBe(false);
  expect(same(undefined, null)).toBe(false);
  expect(same([1], [1])).toBe(true);
});
