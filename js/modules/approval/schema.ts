// From a tool's JSON schema and the arguments the model sent to the fields of a form.
import { object, own, same } from "../../core.ts";
import type { Json, JsonObject } from "../../protocol.ts";

export type FieldKind = "text" | "integer" | "number" | "boolean" | "choice" | "json";

export interface Field {
  name: string;
  kind: FieldKind;
  /** The schema of the value, with references resolved. */
  schema: JsonObject;
  required: boolean;
  /** null is a value it may have. */
  nullable: boolean;
  description: string;
  /** False for an argument that the tool does not declare. */
  known: boolean;
  /** What a choice offers. */
  choices: Json[];
  /** What the model sent; undefined: nothing. */
  asked: Json | undefined;
}

/** One field per argument: the declared ones in their order, then whatever else the model sent. */
export function fieldsOf(schema: JsonObject | null, args: JsonObject): Field[] {
  const root = schema ?? {};
  const declared = object(root.properties);
  const required = new Set(Array.isArray(root.required) ? root.required : []);
  const fields = Object.keys(declared).map((name) =>
    field(name, declared[name]!, root, required.has(name), own(args, name)),
  );
  for (const [name, asked] of Object.entries(args))
    if (!Object.hasOwn(declared, name)) fields.push(unknown(name, asked));
  return fields;
}

function field(
  name: string,
  declared: Json,
  root: JsonObject,
  required: boolean,
  asked: Json | undefined,
): Field {
  const { schema, nullable } = plain(declared, root);
  const choices = choicesOf(schema);
  const kind = fitting(kindOf(schema, choices), choices, asked);
  const words = object(declared).description ?? schema.description;
  const description = typeof words === "string" ? words : "";
  return { name, kind, schema, required, nullable, description, known: true, choices, asked };
}

/** What the tool does not declare is shown as what it is, and may be edited as that. */
function unknown(name: string, asked: Json): Field {
  const kind = fitting(typeof asked === "string" ? "text" : "json", [], asked);
  const none = { schema: {}, required: false, nullable: false, description: "", choices: [] };
  return { name, kind, ...none, known: false, asked };
}

/** The schema behind references, with "or null" taken off. */
export function plain(schema: Json, root: JsonObject): { schema: JsonObject; nullable: boolean } {
  let found = resolved(schema, root);
  let nullable = false;
  for (let depth = 0; depth < 8; depth++) {
    const branches = found.anyOf ?? found.oneOf;
    if (Array.isArray(branches)) {
      const values = branches.map((branch) => resolved(branch, root));
      const rest = values.filter((branch) => branch.type !== "null" && branch.const !== null);
      nullable ||= rest.length < values.length;
      if (rest.length !== 1) break;
      const { anyOf, oneOf, ...around } = found;
      found = { ...around, ...rest[0] };
    } else if (Array.isArray(found.type)) {
      const types = found.type.filter((type) => type !== "null");
      nullable ||= types.length < found.type.length;
      if (types.length !== 1) break;
      found = { ...found, type: types[0]! };
    } else break;
  }
  return { schema: found, nullable };
}

/** Follows `$ref` inside the document and a lone `allOf`; whatever cannot be followed allows everything. */
export function resolved(schema: Json, root: JsonObject): JsonObject {
  let found = object(schema);
  for (let depth = 0; depth < 16; depth++) {
    const only = Array.isArray(found.allOf) && found.allOf.length === 1 ? object(found.allOf[0]!) : null;
    const target = typeof found.$ref === "string" ? refer(found.$ref, root) : only;
    if (!target) return found;
    const { $ref, allOf, ...around } = found;
    found = { ...target, ...around };
  }
  return {};
}

function refer(ref: string, root: JsonObject): JsonObject {
  if (!ref.startsWith("#/")) return {};
  let here: Json = root;
  for (const step of ref.slice(2).split("/")) {
    const name = decodeURIComponent(step).replaceAll("~1", "/").replaceAll("~0", "~");
    here = own(object(here), name) ?? {};
  }
  return object(here);
}

function choicesOf(schema: JsonObject): Json[] {
  if (Array.isArray(schema.enum)) return schema.enum;
  return Object.hasOwn(schema, "const") ? [schema.const!] : [];
}

function kindOf(schema: JsonObject, choices: readonly Json[]): FieldKind {
  if (choices.length > 0) return "choice";
  switch (schema.type) {
    case "string":
      return "text";
    case "integer":
    case "number":
    case "boolean":
      return schema.type;
    default:
      return "json";
  }
}

/**
 * A value that the control of its kind could not show exactly is shown as JSON instead: a number sent as text, a line
 * end that an input would drop.
 */
function fitting(kind: FieldKind, choices: readonly Json[], asked: Json | undefined): FieldKind {
  if (asked === undefined || asked === null) return kind;
  switch (kind) {
    case "text":
      return typeof asked === "string" && !hasControls(asked) ? kind : "json";
    case "integer":
    case "number":
      return typeof asked === "number" || typeof asked === "bigint" ? kind : "json";
    case "boolean":
      return typeof asked === "boolean" ? kind : "json";
    case "choice":
      return choices.some((choice) => same(choice, asked)) ? kind : "json";
    default:
      return kind;
  }
}

function hasControls(text: string): boolean {
  return /(?![\t\n])[\p{Cc}\p{Cs}\p{Zl}\p{Zp}]/u.test(text);
}
