// A list of flat records as a table; anything else is not one.
import type { Json, JsonObject } from "../protocol.ts";
import { h } from "./dom.ts";
import { visibleText } from "./values.ts";

const rows_max = 50;
const columns_max = 12;
const cell_max = 200;

export function table(value: Json): HTMLElement | null {
  const rows = records(value);
  if (!rows) return null;
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  if (columns.length === 0 || columns.length > columns_max) return null;
  const head = h("tr", null, ...columns.map((name) => h("th", { scope: "col" }, visibleText(name))));
  const body = rows.map((row) =>
    h("tr", null, ...columns.map((name) => h("td", { class: numeric(row[name]) && "num" }, cell(row[name])))),
  );
  const grid = h("table", null, h("thead", null, head), h("tbody", null, ...body));
  return h("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": "Result table" }, grid);
}

function records(value: Json): JsonObject[] | null {
  const list = Array.isArray(value) ? value : onlyList(value);
  if (!list || list.length === 0 || list.length > rows_max) return null;
  return list.every(isFlat) ? (list as JsonObject[]) : null;
}

/** Tools often wrap their rows: {"result": [...]}. */
function onlyList(value: Json): Json[] | null {
  if (typeof value !== "object" || value === null) return null;
  const values = Object.values(value);
  return values.length === 1 && Array.isArray(values[0]) ? values[0] : null;
}

function isFlat(row: Json): boolean {
  if (typeof row !== "object" || row === null || Array.isArray(row)) return false;
  return Object.values(row).every(
    (item) => (typeof item !== "object" || item === null) && String(item).length <= cell_max,
  );
}

function numeric(value: Json | undefined): boolean {
  return typeof value === "number";
}

function cell(value: Json | undefined): Node {
  return visibleText(value === undefined || value === null ? "" : String(value));
}
