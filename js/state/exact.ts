// JSON with whole numbers of any size. JavaScript's own reader rounds them above 2^53, so the kernel sends those as their
// digits and says where; here they are bigint, and never anything else.
import type { Json, JsonObject, Path } from "../protocol.ts";

/** Whole numbers up to here are a `number`, larger ones a `bigint`: one value, one type. */
const safe_max = BigInt(Number.MAX_SAFE_INTEGER);
const digits = /^-?(?:0|[1-9]\d*)$/;

/** A place where there should be the digits of a whole number, and is something else. */
export class WholeError extends Error {}

/** Puts the whole numbers at `paths`, which stand there as their digits, into `value`, in place; gives the value. */
export function withWhole<T>(value: T, paths: readonly Path[] = []): T {
  const root = { "": value as Json };
  for (const path of paths) {
    const way = ["", ...path];
    const key = String(way.pop());
    const holder = way.reduce<Json | undefined>((here, step) => inside(here, step), root);
    const text = inside(holder, key);
    if (typeof text !== "string" || !digits.test(text))
      throw new WholeError(`no whole number at ${JSON.stringify(path)}`);
    // A key of its own, be it "__proto__": assigning would not do.
    Object.defineProperty(holder, key, {
      ...Object.getOwnPropertyDescriptor(holder, key),
      value: BigInt(text),
    });
  }
  return root[""] as T;
}

function inside(holder: Json | undefined, key: string | number): Json | undefined {
  if (typeof holder !== "object" || holder === null || !Object.hasOwn(holder, key)) return undefined;
  return (holder as JsonObject)[key];
}

/** The number whose digits these are, with or without a sign; null for any other text. */
export function wholeNumber(text: string): number | bigint | null {
  if (!/^[+-]?\d+$/.test(text)) return null;
  const value = BigInt(text.replace("+", ""));
  return value > safe_max || value < -safe_max ? value : Number(value);
}

/** JSON text, as JSON.stringify lays it out, with every number exact. */
export function jsonText(value: Json, indent = 0, margin = "\n"): string {
  if (typeof value === "number") return numberText(value);
  if (typeof value === "bigint") return String(value);
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const inner = margin + " ".repeat(indent);
  const isList = Array.isArray(value);
  const items = isList
    ? value.map((item) => jsonText(item, indent, inner))
    : Object.entries(value).map(
        ([key, item]) => `${JSON.stringify(key)}:${indent ? " " : ""}${jsonText(item, indent, inner)}`,
      );
  const [open, close] = isList ? "[]" : "{}";
  if (items.length === 0 || indent === 0) return `${open}${items.join(",")}${close}`;
  return `${open}${inner}${items.join(`,${inner}`)}${margin}${close}`;
}

/** What has no fraction and no exponent is a whole number to whoever reads it, and this one is not exact as such. */
function numberText(value: number): string {
  return Number.isInteger(value) && !Number.isSafeInteger(value)
    ? value.toExponential()
    : JSON.stringify(value);
}

const tokens = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;

/** Reads JSON exactly. Throws SyntaxError for what is none, RangeError for a number that has no value here. */
export function parseJson(text: string): Json {
  // Every string gets a letter in front, so that the digits of a large number can stand as a string of another letter.
  const marked = text.replace(tokens, (token) => {
    if (token.startsWith('"')) return `"s${token.slice(1)}`;
    const whole = digits.test(token) ? wholeNumber(token) : Number(token);
    if (typeof whole === "bigint") return `"n${whole}"`;
    if (whole !== null && !Number.isFinite(whole)) throw new RangeError(`${token} is too large a number`);
    return token;
  });
  return unmarked(JSON.parse(marked) as Json);
}

function unmarked(value: Json): Json {
  if (typeof value === "string") return value.startsWith("n") ? BigInt(value.slice(1)) : value.slice(1);
  if (Array.isArray(value)) return value.map(unmarked);
  if (typeof value !== "object" || value === null) return value;
  // fromEntries makes "__proto__" a name like any other.
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key.slice(1), unmarked(item)]));
}

/** Whether both are the same value, in the same order. */
export function same(a: Json | undefined, b: Json | undefined): boolean {
  return a === b || (a !== undefined && b !== undefined && jsonText(a) === jsonText(b));
}
