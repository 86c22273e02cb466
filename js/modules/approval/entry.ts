// What is typed into one field, as the value it stands for. Untouched text stands for exactly what the model sent.
import type { Json, JsonObject } from "../../protocol.ts";
import { faultOf } from "./check.ts";
import { type Field, same } from "./schema.ts";

export type Reading = { value: Json | undefined; fault: null } | { value: undefined; fault: string };

/** The value as its control shows it. A choice is the number of the option; empty text is "not set" where it may be. */
export function textOf(field: Field, value: Json | undefined): string {
  if (value === undefined || (value === null && field.kind !== "json")) return "";
  switch (field.kind) {
    case "text":
      return String(value);
    case "choice":
      return String(field.choices.findIndex((choice) => same(choice, value)));
    case "json":
      return laidOut(value);
    default:
      return JSON.stringify(value);
  }
}

/** Nested values over lines, small ones in one. */
export function laidOut(value: Json): string {
  // Every line end here is one of the layout: those inside strings are escaped.
  const line = JSON.stringify(value, null, 1)
    .replace(/([[{])\n\s*|\n\s*(?=[\]}])/g, "$1")
    .replace(/\n\s*/g, " ");
  return line.length <= 60 ? line : JSON.stringify(value, null, 2);
}

/** `text` is what the control holds now, `started` what it held when the model's value was put in. */
export function read(field: Field, text: string, started: string, root: JsonObject): Reading {
  if (text === started) return good(field.asked);
  const { kind } = field;
  if (text === "" && (kind !== "text" || !field.required)) return unset(field);
  const { value, fault } = parsed(field, text);
  if (fault !== null) return { value: undefined, fault };
  if (kind === "json" && value === null && field.nullable) return good(null);
  const wrong = field.known ? faultOf(value!, field.schema, root) : null;
  if (wrong) return { value: undefined, fault: wrong };
  return isExact(value!) ? good(value) : { value: undefined, fault: inexact };
}

export const inexact = "Too large a number for this page: decide from Python";

/** Numbers that JavaScript would round must not be approved as if they were what is shown. */
export function isExact(value: Json): boolean {
  if (typeof value === "number") return !Number.isInteger(value) || Number.isSafeInteger(value);
  return typeof value !== "object" || value === null || Object.values(value).every(isExact);
}

/** Nothing typed: as the model left it out, else null or absent, whichever the tool allows. */
function unset(field: Field): Reading {
  if (field.asked === null || (field.nullable && field.required)) return good(null);
  return field.required ? { value: undefined, fault: "Is required" } : good(undefined);
}

function parsed(field: Field, text: string): Reading {
  switch (field.kind) {
    case "text":
      return good(text);
    case "boolean":
      return good(text === "true");
    case "choice":
      return good(field.choices[Number(text)]);
    case "integer":
      return /^\s*[+-]?\d+\s*$/.test(text) ? good(Number(text)) : bad("Needs a whole number");
    case "number":
      return /^\s*[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?\s*$/i.test(text) && Number.isFinite(Number(text))
        ? good(Number(text))
        : bad("Needs a number");
    default:
      try {
        return good(JSON.parse(text) as Json);
      } catch {
        return bad(
          field.schema.type === "string" ? 'Needs JSON: text stands in "quotes"' : "Is not complete JSON",
        );
      }
  }
}

/** What an empty control stands for, to be said in it. */
export function emptyWords(field: Field): string {
  if (field.kind === "text" && field.required) return "empty text";
  if (field.asked === null || (field.nullable && field.required)) return "null";
  if (field.required) return "";
  const fallback = field.schema.default;
  return fallback === undefined || fallback === null ? "not set" : `not set: ${JSON.stringify(fallback)}`;
}

function good(value: Json | undefined): Reading {
  return { value, fault: null };
}

function bad(fault: string): Reading {
  return { value: undefined, fault };
}
