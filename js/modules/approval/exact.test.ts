import { describe, expect, it } from "vitest";
import type { Json } from "../../protocol.ts";
import { jsonText } from "../../state/exact.ts";
import { parseJson, wholeNumber } from "./exact.ts";

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

describe("what is typed", () => {
  it.each(values)("is read as JSON.parse does: %j", (value) => {
    for (const indent of [0, 2]) expect(parseJson(jsonText(value, indent))).toEqual(value);
  });

  it.each([2n ** 53n, { a: [-(10n ** 30n)] }, 1e20, 2 ** 60, Number.MAX_SAFE_INTEGER] as Json[])(
    "is read exactly: %s",
    (value) => {
      expect(parseJson(jsonText(value))).toEqual(value);
    },
  );

  it("in which a number has no exact value here is refused", () => {
    expect(() => parseJson("[1e999]")).toThrow(RangeError);
  });

  it.each([
    "01",
    "[1,]",
    "-",
    "+1",
    "1.",
    ".5",
    "'a'",
    "12345678901234567890x",
    "012345678901234567890",
    '{"a" 1}',
    "",
  ])("%j is none", (text) => {
    expect(() => parseJson(text)).toThrow(SyntaxError);
    expect(() => JSON.parse(text)).toThrow(SyntaxError);
  });
});

describe("a whole number", () => {
  it("has one type by its size", () => {
    expect(wholeNumber("9007199254740991")).toBe(9007199254740991);
    expect(wholeNumber("9007199254740992")).toBe(9007199254740992n);
    expect(wholeNumber("-9007199254740992")).toBe(-9007199254740992n);
    expect(wholeNumber("+007")).toBe(7);
    expect(wholeNumber("-0")).toBe(0);
    expect(wholeNumber("1.0")).toBeNull();
    expect(wholeNumber("")).toBeNull();
  });
});
