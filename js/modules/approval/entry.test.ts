import { describe, expect, it } from "vitest";
import type { Json, JsonObject } from "../../protocol.ts";
import { emptyWords, read, textOf } from "./entry.ts";
import { fieldsOf } from "./schema.ts";

/** The field "x" of this schema, as the model filled it. */
function made(rule: Json, asked?: Json, required = true) {
  const root: JsonObject = { properties: { x: rule }, required: required ? ["x"] : [] };
  const field = fieldsOf(root, asked === undefined ? {} : { x: asked })[0]!;
  const started = textOf(field, field.asked);
  return { field, started, type: (text: string) => read(field, text, started, root) };
}
const text = { type: "string" };
const maybe = { anyOf: [text, { type: "null" }] };

describe("typed text", () => {
  it.each([
    [text, "", "empty stays empty"],
    [maybe, "", "empty is not null"],
    [{ type: "integer" }, "3", "text is not a number"],
    [{ type: "integer" }, 2n ** 64n, "a large whole number"],
    [{ type: "number" }, 1e300, "a large float"],
    [{ type: "boolean" }, null, "null is not false"],
    [{ enum: ["a"] }, "b", "not among the choices"],
    [{}, { b: [1, "\n"] }, "anything"],
  ] as [Json, Json, string][])(
    "untouched stands for exactly what the model sent: %o %o (%s)",
    (rule, asked) => {
      const { type, started } = made(rule, asked);
      expect(type(started)).toEqual({ value: asked, fault: null });
    },
  );

  it.each([
    [text, "a", " b ", " b "],
    [text, "a", "", ""],
    [{ type: "integer" }, 3, " 12 ", 12],
    [{ type: "number" }, 3, "-.5e2", -50],
    [{ type: "boolean" }, true, "false", false],
    [{ enum: ["a", 2, null] }, "a", "1", 2],
    [{ type: "array" }, [1], "[1, 2]", [1, 2]],
    [{ type: "integer" }, 3, "12345678901234567890", 12345678901234567890n],
    [{ type: "integer" }, 2n ** 64n, "-0009007199254740991", -9007199254740991],
    [{ type: "integer", maximum: 2n ** 63n - 1n }, 3, "9223372036854775807", 2n ** 63n - 1n],
    [{ type: "integer", multipleOf: 10n }, 3, "12345678901234567890", 12345678901234567890n],
    [{ type: "number" }, 2n ** 64n, "18446744073709551617", 18446744073709551617n],
    [{ type: "number", maximum: 1e20 }, 1, "18446744073709551617", 18446744073709551617n],
    [{ enum: [1, 2n ** 60n] }, 1, "1", 2n ** 60n],
    [{ type: "array" }, [1], '[{"a": 12345678901234567890}]', [{ a: 12345678901234567890n }]],
  ] as [Json, Json, string, Json][])("%o, asked %o, typed %o is %o", (rule, asked, typed, value) => {
    expect(made(rule, asked).type(typed)).toEqual({ value, fault: null });
  });

  it.each([
    [{ type: "integer" }, 3, "3.5", "Needs a whole number"],
    [{ type: "integer" }, 3, "0x10", "Needs a whole number"],
    [{ type: "integer" }, 3, "", "Is required"],
    [{ type: "number" }, 3, "1e999", "Needs a number"],
    [{ type: "number" }, 3, "Infinity", "Needs a number"],
    [{ type: "integer", maximum: 5 }, 3, "6", "Must be at most 5"],
    [
      { type: "integer", maximum: 2n ** 63n - 1n },
      3,
      "9223372036854775808",
      "Must be at most 9223372036854775807",
    ],
    [
      { type: "integer", minimum: -(2n ** 63n) },
      3,
      "-9223372036854775809",
      "Must be at least -9223372036854775808",
    ],
    [
      { type: "integer", exclusiveMaximum: 2n ** 63n },
      3,
      "9223372036854775808",
      "Must be less than 9223372036854775808",
    ],
    [{ type: "integer", multipleOf: 10 }, 3, "12345678901234567891", "Must be a multiple of 10"],
    [{ enum: [2n ** 60n, "a"] }, [], "3", 'Needs one of 1152921504606846976, "a"'],
    [{ type: "array" }, [1], "[1e999]", "Holds a number that is too large"],
    [{ type: "array" }, [1], "[1,", "Is not complete JSON"],
    [{ type: "array" }, [1], "{}", "Needs a list"],
    [{ type: "string", minLength: 1 }, "a", "", "Needs at least 1 character"],
  ] as [Json, Json, string, string][])("%o, asked %o, typed %o: %s", (rule, asked, typed, fault) => {
    expect(made(rule, asked).type(typed).fault).toBe(fault);
  });

  it("that is cleared is not set, or null where the model had said null", () => {
    expect(made(text, "a", false).type("")).toEqual({ value: undefined, fault: null });
    expect(made({ type: "integer" }, 3, false).type("").value).toBeUndefined();
    expect(made({ anyOf: [{ type: "integer" }, { type: "null" }] }, 3).type("").value).toBeNull();
    const none = made(maybe, null, false);
    expect(none.type("x").value).toBe("x");
    expect(none.type("").value).toBeNull();
  });

  it("has words for what empty means", () => {
    expect(emptyWords(made(text, "a").field)).toBe("empty text");
    expect(emptyWords(made({ type: "integer", default: 10 }, undefined, false).field)).toBe("not set: 10");
    expect(emptyWords(made(maybe, null, false).field)).toBe("null");
    expect(emptyWords(made({ type: "integer" }, 3).field)).toBe("");
  });
});

describe("values", () => {
  it("small ones stand in one line", () => {
    const { field } = made({}, {});
    expect(textOf(field, ["dup", { a: [] }])).toBe('["dup", {"a": []}]');
    expect(textOf(field, "a\n[ b")).toBe('"a\\n[ b"');
    expect(textOf(field, ["x".repeat(80)])).toBe(`[\n  "${"x".repeat(80)}"\n]`);
  });

  it.each([
    [{ type: "integer" }, 7310582946120375811n, "7310582946120375811"],
    [{ type: "number" }, 1e20, "1e+20"],
    [{}, { ids: [-(10n ** 30n)] }, `{"ids": [-1${"0".repeat(30)}]}`],
  ] as [Json, Json, string][])("of %o, asked %o, stand with every digit", (rule, asked, shown) => {
    expect(made(rule, asked).started).toBe(shown);
  });
});
