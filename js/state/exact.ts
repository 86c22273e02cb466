// JSON with whole numbers of any size. JavaScript's own reader rounds them above 2^53, so the kernel sends those as their
// digits and says where; here they are bigint, and never anything else.
import type { Json, JsonObject, Path } from "../protocol.ts";

const digits = /^-?(?:0|[1-9]\d*)$/;

/** What came does not fit what is here. */
export class PatchError extends Error {}

export function misfit(path: Path): PatchError {
  return new PatchError(`a patch does not fit the state at ${JSON.stringify(path)}`);
}

/**
 * Puts the whole numbers at `paths`, which stand there as their digits, into `value`, in place; gives the value. Throws
 * PatchError where there is no such text.
 */
export function withWhole<T>(value: T, paths: readonly Path[] = []): T {
  const root = { "": value as Json };
  for (const path of paths) {
    const way = ["", ...path];
    const key = way.pop()!;
    const holder = way.reduce<Json | undefined>(inside, root);
    const text = inside(holder, key);
    if (typeof text !== "string" || !digits.test(text)) throw misfit(path);
    // A key of its own, be it "__proto__": assigning would not do.
    Object.defineProperty(holder, key, { value: BigInt(text) });
  }
  return root[""] as T;
}

function inside(holder: Json | undefined, key: string | number): Json | undefined {
  if (typeof holder !== "object" || holder === null || !Object.hasOwn(holder, key)) return undefined;
  return (holder as JsonObject)[key];
}

/**
 * JSON text, laid out as JSON.stringify does, with every number exact. It stops soon after `limit` characters, for a
 * value that still grows is printed many times, and says "…" for what is nested deeper than `depth`.
 */
export function jsonText(value: Json, indent = 0, limit = Number.POSITIVE_INFINITY, depth = limit): string {
  let out = "";
  const print = (item: Json, margin: string, left: number): void => {
    if (typeof item !== "object" || item === null) {
      out += scalarText(typeof item === "string" ? item.slice(0, limit) : item);
      return;
    }
    const isList = Array.isArray(item);
    const entries = Object.entries(item);
    const inner = indent && entries.length > 0 ? margin + " ".repeat(indent) : "";
    out += isList ? "[" : "{";
    let before = inner;
    for (const [key, child] of left > 0 ? entries : []) {
      if (out.length > limit) return;
      out += before + (isList ? "" : `${JSON.stringify(key)}:${indent ? " " : ""}`);
      print(child, inner, left - 1);
      before = `,${inner}`;
    }
    if (left <= 0 && entries.length > 0) out += "…";
    else if (inner) out += margin;
    out += isList ? "]" : "}";
  };
  print(value, "\n", depth);
  return out;
}

/** A string as it is, anything else as JSON text. */
export function textOf(value: Json): string {
  return typeof value === "string" ? value : jsonText(value);
}

/** What has no fraction and no exponent is a whole number to whoever reads it; a large float is not exact as such. */
function scalarText(value: Json): string {
  if (typeof value === "bigint") return String(value);
  const isLarge = typeof value === "number" && Number.isInteger(value) && !Number.isSafeInteger(value);
  return isLarge ? value.toExponential() : JSON.stringify(value);
}

/** Whether both are the same value, in the same order. */
export function same(a: Json | undefined, b: Json | undefined): boolean {
  return a === b || (a !== undefined && b !== undefined && jsonText(a) === jsonText(b));
}
