// Whether a value fits a JSON schema, in words for whoever typed it. The kernel checks again, with the tool's own types.
import { isNumber, jsonText, object, own, same } from "../../core.ts";
import type { Json, JsonObject } from "../../protocol.ts";
import { resolved } from "./schema.ts";

const depth_max = 24;

const typeWords: { [type: string]: string } = {
  integer: "a whole number",
  number: "a number",
  string: "text in quotes",
  boolean: "true or false",
  array: "a list",
  object: "an object",
  null: "null",
};

/** What is wrong, or null. `root` holds the definitions. */
export function faultOf(value: Json, schema: Json, root: JsonObject, depth = 0): string | null {
  if (schema === false) return "Is not allowed";
  if (depth > depth_max) return null;
  const rule = resolved(schema, root);
  const checks = [kind, choice, branches, numbers, texts, lists, objects];
  for (const check of checks) {
    const fault = check(value, rule, root, depth);
    if (fault) return fault;
  }
  return null;
}

type Check = (value: Json, rule: JsonObject, root: JsonObject, depth: number) => string | null;

const kind: Check = (value, { type }) => {
  const types = (Array.isArray(type) ? type : [type]).filter((name) => typeof name === "string");
  if (types.length === 0 || types.some((name) => isA(value, name))) return null;
  return `Needs ${types.map((name) => typeWords[name] ?? name).join(" or ")}`;
};

function isA(value: Json, type: string): boolean {
  if (type === "integer") return typeof value === "bigint" || Number.isInteger(value);
  if (type === "number") return isNumber(value);
  if (type === "array") return Array.isArray(value);
  if (type === "null") return value === null;
  if (type === "object") return typeof value === "object" && value !== null && !Array.isArray(value);
  return typeWords[type] === undefined || typeof value === type;
}

const choice: Check = (value, rule) => {
  const choices = Array.isArray(rule.enum) ? rule.enum : Object.hasOwn(rule, "const") ? [rule.const!] : null;
  if (!choices || choices.some((item) => same(item, value))) return null;
  return `Needs one of ${choices.map((item) => jsonText(item)).join(", ")}`;
};

const branches: Check = (value, rule, root, depth) => {
  for (const each of list(rule.allOf)) {
    const fault = faultOf(value, each, root, depth + 1);
    if (fault) return fault;
  }
  const any = list(rule.anyOf ?? rule.oneOf);
  const faults = any.map((branch) => faultOf(value, branch, root, depth + 1));
  if (faults.length === 0 || faults.includes(null)) return null;
  const telling = faults.filter((fault) => fault !== "Needs null");
  return telling.length === 1 ? telling[0]! : "Fits none of the kinds it may have";
};

const numbers: Check = (value, rule) => {
  if (!isNumber(value)) return null;
  // JavaScript compares a number and a bigint by their exact values.
  const limits: [Json | undefined, (limit: number | bigint) => boolean, string][] = [
    [rule.minimum, (limit) => value >= limit, "Must be at least"],
    [rule.maximum, (limit) => value <= limit, "Must be at most"],
    [rule.exclusiveMinimum, (limit) => value > limit, "Must be more than"],
    [rule.exclusiveMaximum, (limit) => value < limit, "Must be less than"],
    [rule.multipleOf, (unit) => isMultiple(value, unit), "Must be a multiple of"],
  ];
  for (const [limit, holds, words] of limits)
    if (isNumber(limit) && !holds(limit)) return `${words} ${jsonText(limit)}`;
  return null;
};

function isMultiple(value: number | bigint, unit: number | bigint): boolean {
  if (isWhole(value) && isWhole(unit)) return Number(unit) !== 0 && BigInt(value) % BigInt(unit) === 0n;
  const times = Number(value) / Number(unit);
  return Math.abs(times - Math.round(times)) < 1e-9;
}

function isWhole(value: number | bigint): boolean {
  return typeof value === "bigint" || Number.isInteger(value);
}

const texts: Check = (value, rule) => {
  if (typeof value !== "string") return null;
  const wrong = size([...value].length, rule.minLength, rule.maxLength, "character");
  if (wrong) return wrong;
  if (typeof rule.pattern !== "string") return null;
  try {
    return new RegExp(rule.pattern, "u").test(value) ? null : `Must match ${rule.pattern}`;
  } catch {
    // Python's patterns are not all JavaScript's; the kernel will say.
    return null;
  }
};

const lists: Check = (value, rule, root, depth) => {
  if (!Array.isArray(value)) return null;
  const wrong = size(value.length, rule.minItems, rule.maxItems, "item");
  if (wrong) return wrong;
  const first = list(rule.prefixItems);
  return firstFault(
    value.map((item, index) => [`Item ${index + 1}`, item, first[index] ?? rule.items ?? true]),
    root,
    depth,
  );
};

const objects: Check = (value, rule, root, depth) => {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return null;
  const missing = list(rule.required).find((name) => typeof name === "string" && !Object.hasOwn(value, name));
  if (missing !== undefined) return `${missing}: is missing`;
  const declared = object(rule.properties);
  const others = rule.additionalProperties ?? true;
  return firstFault(
    Object.entries(value).map(([name, item]) => [name, item, own(declared, name) ?? others]),
    root,
    depth,
  );
};

function firstFault(items: [string, Json, Json][], root: JsonObject, depth: number): string | null {
  for (const [where, item, schema] of items) {
    const fault = faultOf(item, schema, root, depth + 1);
    if (fault) return `${where}: ${fault.charAt(0).toLowerCase()}${fault.slice(1)}`;
  }
  return null;
}

function size(length: number, min: Json | undefined, max: Json | undefined, one: string): string | null {
  const named = (limit: number) => `${limit} ${one}${limit === 1 ? "" : "s"}`;
  if (typeof min === "number" && length < min) return `Needs at least ${named(min)}`;
  return typeof max === "number" && length > max ? `Must have at most ${named(max)}` : null;
}

function list(value: Json | undefined): Json[] {
  return Array.isArray(value) ? value : [];
}
