// What is typed into one field, as the value it stands for. Untouched text stands for exactly what the model sent.
import { jsonText, same } from "../../core.ts";
import type { Json, JsonObject } from "../../protocol.ts";
import { faultOf } from "./check.ts";
import { parseJson, wholeNumber } from "./exact.ts";
import type { Field } from "./schema.ts";

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
      return jsonText(value);
  }
}

/** Nested values over lines, small ones in one. */
export function laidOut(value: Json): string {
  // Every line end here is one of the layout: those inside strings are escaped.
  const line = jsonText(value, 1)
    .replace(/([[{])\n\s*|\n\s*(?=[\]}])/g, "$1")
    .replace(/\n\s*/g, " ");
  return line.length <= 60 ? line : jsonText(value, 2);
}

/** `text` is what the control holds now, `started` what it held when the model's value was put in. */
export function read(field: Field, text: string, started: string, root: JsonObject): Reading {
  if (text === started) return good(field.asked);
  const { kind } = field;
  if (text === "" && (kind !== "text" || !field.required)) return unset(field);
  const { value, fault } = parsed(field, text);
  if (fault !== null) return bad(fault);
  if (kind === "json" && value === null && field.nullable) return good(null);
  const wrong = field.known ? faultOf(value!, field.schema, root) : null;
  return wrong ? bad(wrong) : good(value);
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
      return number(wholeNumber(text.trim()), "Needs a whole number");
    case "number":
      return number(wholeNumber(text.trim()) ?? fraction(text), "Needs a number");
    default:
      return json(field, text);
  }
}

function number(value: number | bigint | null, fault: string): Reading {
  return value === null ? bad(fault) : good(value);
}

function fraction(text: string): number | null {
  const value = /^\s*[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?\s*$/i.test(text) ? Number(text) : Number.NaN;
  return Number.isFinite(value) ? value : null;
}

function json(field: Field, text: string): Reading {
  try {
    return good(parseJson(text));
  } catch (error) {
    if (error instanceof RangeError) return bad("Holds a number that is too large");
    return bad(
      field.schema.type === "string" ? 'Needs JSON: text stands in "quotes"' : "Is not complete JSON",
    );
  }
}

/** What an empty control stands for, to be said in it. */
export function emptyWords(field: Field): string {
  if (field.kind === "text" && field.required) return "empty text";
  if (field.asked === null || (field.nullable && field.required)) return "null";
  if (field.required) return "";
  const fallback = field.schema.default;
  return fallback === undefined || fallback === null ? "not set" : `not set: ${jsonText(fallback)}`;
}

function good(value: Json | undefined): Reading {
  return { value, fault: null };
}

function bad(fault: string): Reading {
  return { value: undefined, fault };
}
