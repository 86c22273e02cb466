import { describe, expect, it } from "vitest";
import type { Json, JsonObject } from "../../protocol.ts";
import { faultOf } from "./check.ts";
import { fieldsOf } from "./schema.ts";

const schema: JsonObject = {
  $defs: { Mode: { enum: ["append", "replace"], type: "string", description: "How" } },
  type: "object",
  properties: {
    path: { type: "string", description: "Where" },
    mode: { $ref: "#/$defs/Mode", default: "append" },
    owner: { anyOf: [{ type: "string" }, { type: "null" }], default: null },
    count: { anyOf: [{ type: "integer", minimum: 1 }, { type: "null" }] },
    ratio: { type: ["number", "null"] },
    either: { anyOf: [{ type: "integer" }, { type: "string" }] },
    wrapped: { allOf: [{ $ref: "#/$defs/Mode" }] },
    only: { const: "yes" },
    flag: { type: "boolean" },
    items: { type: "array", items: { type: "string" } },
    loop: { $ref: "#/$defs/none" },
    any: {},
  },
  required: ["path", "count"],
};
const kinds = (args: JsonObject = {}) =>
  Object.fromEntries(fieldsOf(schema, args).map(({ name, kind }) => [name, kind]));
const field = (name: string, args: JsonObject = {}) =>
  fieldsOf(schema, args).find((each) => each.name === name)!;

describe("fields", () => {
  it("follow the types of the schema", () => {
    expect(kinds()).toEqual({
      path: "text",
      mode: "choice",
      owner: "text",
      count: "integer",
      ratio: "number",
      either: "json",
      wrapped: "choice",
      only: "choice",
      flag: "boolean",
      items: "json",
      loop: "json",
      any: "json",
    });
  });

  it("know what is required, may be null, and is described", () => {
    expect(field("path")).toMatchObject({ required: true, nullable: false, description: "Where" });
    expect(field("count")).toMatchObject({ required: true, nullable: true, schema: { minimum: 1 } });
    expect(field("mode")).toMatchObject({
      required: false,
      description: "How",
      choices: ["append", "replace"],
    });
  });

  it.each([
    ["path", 7],
    ["path", "two\rlines"],
    ["path", "a\u0000b"],
    ["count", "3"],
    ["flag", "true"],
    ["mode", "delete"],
  ] as [string, Json][])("show %s as JSON where its control could not show %j exactly", (name, value) => {
    expect(field(name, { [name]: value }).kind).toBe("json");
  });

  it.each([
    ["path", "two\nlines"],
    ["owner", null],
    ["mode", "append"],
    ["count", 3],
  ] as [string, Json][])("keep the control of %s for %j", (name, value) => {
    expect(field(name, { [name]: value }).kind).toBe(kinds()[name]);
  });

  it("show arguments the tool does not declare, and survive hostile names", () => {
    const args = JSON.parse('{"extra": "x", "__proto__": {"a": 1}, "constructor": 2}') as JsonObject;
    const fields = fieldsOf(schema, args).filter(({ known }) => !known);
    expect(fields.map(({ name, kind, asked }) => [name, kind, asked])).toEqual([
      ["extra", "text", "x"],
      ["__proto__", "json", { a: 1 }],
      ["constructor", "json", 2],
    ]);
    expect(fieldsOf({ properties: { a: { $ref: "#/__proto__" } } }, {})[0]!.kind).toBe("json");
    expect(fieldsOf(null, { a: 1 })).toHaveLength(1);
  });

  it("do not follow a reference for ever", () => {
    const round: JsonObject = {
      $defs: { a: { $ref: "#/$defs/a" } },
      properties: { x: { $ref: "#/$defs/a" } },
    };
    expect(fieldsOf(round, {})[0]!.kind).toBe("json");
  });
});

describe("what is wrong with a value", () => {
  const tree: JsonObject = {
    $defs: {
      Node: { type: "object", properties: { next: { $ref: "#/$defs/Node" }, n: { type: "integer" } } },
    },
  };
  it.each([
    [3, { type: "integer" }, null],
    [3.5, { type: "integer" }, "Needs a whole number"],
    ["3", { type: ["integer", "null"] }, "Needs a whole number or null"],
    [true, { type: "number" }, "Needs a number"],
    [[], { type: "object" }, "Needs an object"],
    [300, { type: "integer", maximum: 100 }, "Must be at most 100"],
    [0, { exclusiveMinimum: 0 }, "Must be more than 0"],
    [0.3, { multipleOf: 0.1 }, null],
    [5, { multipleOf: 2 }, "Must be a multiple of 2"],
    ["", { minLength: 1 }, "Needs at least 1 character"],
    ["😀😀", { maxLength: 2 }, null],
    ["abc", { pattern: "^[a-b]+$" }, "Must match ^[a-b]+$"],
    ["abc", { pattern: "(?P<python>a)" }, null],
    ["c", { enum: ["a", "b"] }, 'Needs one of "a", "b"'],
    [[1, "x"], { items: { type: "integer" } }, "Item 2: needs a whole number"],
    [[], { minItems: 1 }, "Needs at least 1 item"],
    [{}, { required: ["a"] }, "a: is missing"],
    [{ b: 1 }, { properties: { a: {} }, additionalProperties: false }, "b: is not allowed"],
    [{ b: "x" }, { additionalProperties: { type: "number" } }, "b: needs a number"],
    [null, { anyOf: [{ type: "string" }, { type: "null" }] }, null],
    [1, { anyOf: [{ type: "string" }, { type: "null" }] }, "Needs text in quotes"],
    [true, { anyOf: [{ type: "string" }, { type: "number" }] }, "Fits none of the kinds it may have"],
    [{ next: { next: { n: "x" } } }, { $ref: "#/$defs/Node" }, "next: next: n: needs a whole number"],
  ] as [Json, JsonObject, string | null][])("%j against %j", (value, rule, fault) => {
    expect(faultOf(value, rule, tree)).toBe(fault);
  });
});
