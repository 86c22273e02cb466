// What is asked of JSON values in more than one place.
import type { Json, JsonObject } from "../protocol.ts";

/** Own properties only: names are the model's words, and "__proto__" is one of them. */
export function own(holder: JsonObject, key: string): Json | undefined {
  return Object.hasOwn(holder, key) ? holder[key] : undefined;
}

/** The object itself, or an empty one for any other value. */
export function object(value: Json | undefined): JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? value : {};
}

export function isNumber(value: Json | undefined): value is number | bigint {
  return typeof value === "number" || typeof value === "bigint";
}
