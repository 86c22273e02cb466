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

/** Whether both are the same value, in the same order. */
export function same(a: Json | undefined, b: Json | undefined): boolean {
  return a === b || (a !== undefined && b !== undefined && jsonText(a) === jsonText(b));
}
