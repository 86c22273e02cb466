// What a reader types, read as JSON with whole numbers of any size.
import type { Json } from "../../protocol.ts";

/**
 * The number whose digits these are, with or without a sign: a `bigint` where JavaScript would round it, else a
 * `number`, so that one value has one type. Null for any other text.
 */
export function wholeNumber(text: string): number | bigint | null {
  if (!/^[+-]?\d+$/.test(text)) return null;
  const value = BigInt(text.replace("+", ""));
  return Number.isSafeInteger(Number(value)) ? Number(value) : value;
}

const tokens = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;

/** Reads JSON exactly. Throws SyntaxError for what is none, RangeError for a number that has no value here. */
export function parseJson(text: string): Json {
  // Every string gets a letter in front, so that the digits of a large number can stand as a string of another letter.
  const marked = text.replace(tokens, (token) => {
    if (token.startsWith('"')) return `"s${token.slice(1)}`;
    const number = wholeNumber(token) ?? Number(token);
    if (typeof number === "bigint") return /^-?0/.test(token) ? token : `"n${token}"`;
    if (!Number.isFinite(number)) throw new RangeError(`${token} is too large a number`);
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
