// What a reader types, read as JSON with whole numbers of any size.
import type { Json } from "../../protocol.ts";

/** Whole numbers up to here are a `number`, larger ones a `bigint`: one value, one type. */
const safe_max = BigInt(Number.MAX_SAFE_INTEGER);
const digits = /^-?(?:0|[1-9]\d*)$/;

/** The number whose digits these are, with or without a sign; null for any other text. */
export function wholeNumber(text: string): number | bigint | null {
  if (!/^[+-]?\d+$/.test(text)) return null;
  const value = BigInt(text.replace("+", ""));
  return value > safe_max || value < -safe_max ? value : Number(value);
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
