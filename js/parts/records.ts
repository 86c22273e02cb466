// A list of flat records as a table; anything else is not one.

import { h } from "../dom/dom.ts";
import type { Json, JsonObject } from "../protocol.ts";
import { textOf } from "../state/exact.ts";
import { isNumber, object } from "../state/values.ts";
import { shorten, visibleText } from "./values.ts";

const rows_max = 50;
const columns_max = 12;
const cell_max = 200;

export function table(value: Json): HTMLElement | null {
  const rows = records(value);
  if (!rows) return null;
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  if (columns.length === 0 || columns.length > columns_max) return null;
  return grid(
    columns,
    rows.map((row) => columns.map((name) => row[name] ?? null)),
  );
}

export function grid(columns: readonly string[], rows: readonly Json[][]): HTMLElement {
  // A column of numbers has its name above them.
  const numeric = (index: number) => isNumber(rows[0]?.[index]) && "num";
  const head = columns.map((name, i) => h("th", { scope: "col", class: numeric(i) }, visibleText(name)));
  const body = rows.map((row) =>
    h("tr", null, ...row.map((value) => h("td", { class: isNumber(value) && "num" }, cell(value)))),
  );
  const all = h("table", null, h("thead", null, h("tr", null, ...head)), h("tbody", null, ...body));
  return h("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": "Result table" }, all);
}

function records(value: Json): JsonObject[] | null {
  const list = Array.isArray(value) ? value : onlyList(value);
  if (!list || list.length === 0 || list.length > rows_max) return null;
  return list.every(isFlat) ? (list as JsonObject[]) : null;
}

/** Tools often wrap their rows: {"result": [...]}. */
function onlyList(value: Json): Json[] | null {
  const values = Object.values(object(value));
  return values.length === 1 && Array.isArray(values[0]) ? values[0] : null;
}

function isFlat(row: Json): boolean {
  if (object(row) !== row) return false;
  return Object.values(row).every(
    (item) => (typeof item !== "object" || item === null) && String(item).length <= cell_max,
  );
}

function cell(value: Json): Node {
  return visibleText(value === null ? "" : shorten(textOf(value), cell_max));
}
