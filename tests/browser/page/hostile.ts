// One text in every field that a model, a tool or a server can fill.
import type { Call, Json, JsonObject, Op, Path, RunState } from "../../../js/protocol.ts";
import { call, decision, parts, run, step, waits } from "./states.ts";

const base64 = (text: string) => btoa(String.fromCharCode(...new TextEncoder().encode(text)));

/** A run that ended in every way at once, so that all of it is drawn. */
function told(p: string): RunState {
  const address = `https://leak.test/?q=${p}`;
  const tree: JsonObject = { [p]: p, list: [p, { [p]: [p] }] };
  const ran = (more: Partial<Call>): { kind: "call"; call: Call } =>
    call(p, tree, { doc: p, schema: { [p]: p }, printed: p, used_args: tree, ...more });
  const file = { size_bytes: 9, data: null, uri: null, name: p, cut: true };
  const source = { uri: p, title: p, domain: p };
  return run({
    id: "told",
    model: p,
    demo: true,
    prompt: [
      { role: "user", parts: [{ text: p }, { functionResponse: { name: p, response: tree } }] },
      { role: "user", parts: [{ inlineData: { mimeType: p, data: p } }, { fileData: { fileUri: p } }] },
    ],
    parts: parts(
      { kind: "thought", text: p, signature: p },
      { kind: "text", text: p, extra: tree },
      ran({ state: "failed", error: p, traceback: p, decision: decision({ reason: p }) }),
      ran({
        state: "succeeded",
        result: tree,
        display: { kind: "table", columns: [p, `${p} b`], rows: [[p, tree]], row_count: 9 },
        decision: decision({ edited: true, scope: "chat", reason: p }),
        args: { ...tree, changed: p },
        used_args: { ...tree, changed: `${p} edited`, added: p },
      }),
      ran({ state: "succeeded", result: p, display: { kind: "text", text: p, cut: 7 } }),
      ran({ state: "succeeded", result: [p], display: { kind: "json", text: p, cut: 7 } }),
      ran({ state: "succeeded", display: { kind: "image", mime_type: "image/png", data: base64(p) } }),
      ran({ state: "succeeded", display: { kind: "image", mime_type: p, data: p } }),
      ran({ state: "denied", decision: decision({ verdict: "denied", by: "policy", reason: p }) }),
      call(p, tree, { state: "requested", result: { rows: [{ [p]: p }] } }),
      call("", { [p]: p }, { state: "failed", error: p }),
      { kind: "code", code: p, language: p },
      { kind: "code", code: p, language: "HTML" },
      { kind: "code_result", output: p, outcome: p },
      { kind: "file", ...file, mime_type: p, uri: p },
      { kind: "file", ...file, mime_type: "text/html", data: base64(p), uri: address },
      { kind: "file", ...file, mime_type: "image/svg+xml", data: base64(p) },
      { kind: "file", ...file, mime_type: "image/png", data: base64(p) },
      { kind: "file", ...file, mime_type: "image/gif", data: p, name: null },
      { kind: "other", raw: tree },
      { kind: "other", thought: true, raw: { [p]: p } },
      {
        kind: "text",
        text: `Before ${p} after\n\n[${p}](${p}) ![${p}](${p} "${p}")\n\n| ${p} |\n|---|\n| ${p} |\n`,
      },
    ),
    steps: [
      step(0, {
        finish_reason: p,
        finish_message: p,
        model_version: p,
        response_id: p,
        usage: { [p]: p, total_token_count: 7 },
        prompt_feedback: { blockReason: p, [p]: p },
        grounding: [
          {
            webSearchQueries: [p],
            retrievalQueries: [p],
            groundingChunks: [
              { web: source },
              { retrievedContext: { uri: address, title: p } },
              { maps: source },
            ],
            searchEntryPoint: { renderedContent: p, sdkBlob: p },
            [p]: p,
          },
        ],
        citations: [
          { uri: p, title: p, license: p },
          { uri: address, license: p },
        ],
        url_context: [{ retrievedUrl: p, urlRetrievalStatus: p }, { retrievedUrl: address }],
        candidates: [{ index: 1, content: { parts: [{ text: p }] } }],
        other: { [p]: p, safetyRatings: [{ category: p, probability: p, blocked: true }] },
      }),
    ],
    usage: { total_token_count: 12, prompt_token_count: 5 },
    rules: [{ id: p, tool: p, scope: "chat", words: p }],
    error: { type: p, title: p, message: p, hint: p, code: 500, status: p },
    notice: { level: "warn", title: p, message: p },
    retries: [{ step: 0, attempt: 1, of: 3, title: p, message: p, failed_s: 1, until_s: 2 }],
    offers: ["anew"],
    receipt: { by: "button", when: "mid-stream", asked_s: 1, closed_s: 1, chunks_after: 0, tokens: 3 },
  });
}

/** A run that asks: what the reader decides by must be what it says. */
function asked(p: string): RunState {
  const text = { type: "string", title: p, description: p };
  const schema: JsonObject = {
    title: p,
    description: p,
    type: "object",
    properties: {
      [p]: text,
      plain: { ...text, default: p },
      choice: { enum: [p, `${p} or not`], description: p },
      nested: { type: "object", title: p },
      flag: { type: "boolean", description: p },
      number: { type: "integer", description: p },
      missing: { ...text, const: p },
      left: { ...text, default: p },
      out: { ...text, examples: [p] },
    },
    required: [p],
    $defs: { [p]: text },
  };
  const args = { [p]: p, plain: p, choice: p, nested: { [p]: [p] }, flag: p, number: p, undeclared: p };
  return run({
    id: "asked",
    model: p,
    prompt: [{ role: "user", parts: [{ text: p }] }],
    steps: [step(0, { model_version: p, response_id: p })],
    status: "acting",
    parts: parts(
      waits(p, args, { doc: p, schema, error: p, hash: "h1" }),
      waits(p, { [p]: `${p}\n${p}` }, { doc: p, schema, error: p, hash: "h2", deadline_s: 90 }),
      call(p, {}, { state: "running", schema: {}, used_args: {}, printed: p }),
    ),
    rules: [{ id: p, tool: p, scope: "run", words: p }],
  });
}

/** A run that waits for the caller: its bar names the call. */
function called(p: string): RunState {
  return run({
    id: "called",
    model: p,
    prompt: [{ role: "user", parts: [{ text: p }] }],
    steps: [step(0, { model_version: p, response_id: p })],
    stopped_by: "calls",
    parts: parts({ kind: "text", text: p }, call(p, { [p]: p })),
  });
}

/** All that grows by characters. */
function typed(p: string): RunState {
  const tree = { [p]: p, list: [p, { [p]: [p] }] };
  return run({
    id: "typed",
    model: p,
    prompt: [{ role: "user", parts: [{ text: p }] }],
    steps: [step(0, { model_version: p, response_id: p })],
    parts: parts(
      { kind: "thought", text: p },
      { kind: "text", text: p },
      call(p, tree, { state: "streaming_args" }),
      call(p, {}, { state: "running", doc: p, schema: {}, used_args: {}, printed: p }),
      { kind: "text", text: p },
    ),
  });
}

type Made = (p: string) => RunState;
export const hostile: { [name: string]: Made } = { told, asked, called, typed };

/** How each of them ends, once all its text is there. */
export const endings: { [name: string]: Op[] } = {
  told: [
    ["=", ["ended_s"], 2],
    ["=", ["status"], "failed"],
  ],
  asked: [],
  typed: [],
  called: [
    ["=", ["ended_s"], 2],
    ["=", ["status"], "completed"],
  ],
};

/** Words of the protocol and of ours; no model fills them. Everything else must hold the text. */
const fixed = new Set(
  "id kind run state status by verdict scope level when role type hash stopped_by language mime_type data name offers".split(
    " ",
  ),
);

/** Strings of a made state that do not hold the text: none, or a field is not tried. */
export function untried(made: Made, p: string): string[] {
  return leaves(made(p) as never, [])
    .filter(
      ([path, value]) =>
        value &&
        !value.includes(p) &&
        !value.includes(base64(p)) &&
        !path.some((key) => fixed.has(String(key))),
    )
    .map(([path]) => path.join("."));
}

/** Where the text is in a made state. */
export function fields(made: Made, p: string): string[] {
  return leaves(made(p) as never, [])
    .filter(([, value]) => value.includes(p) || value === base64(p))
    .map(([path]) => path.join("."));
}

function leaves(value: Json, path: Path): [Path, string][] {
  if (typeof value === "string") return [[path, value]];
  if (typeof value !== "object" || value === null) return [];
  const entries: [string | number, Json][] = Array.isArray(value)
    ? value.map((item, index) => [index, item])
    : Object.entries(value);
  return entries.flatMap(([key, item]) => leaves(item, [...path, key]));
}

/** What the kernel never changes once it is there, or what starts the whole view anew. */
const whole = new Set(["raw", "extra", "schema", "prompt", "id", "model"]);

/** Longer texts come in pieces. */
const pieces_max = 80;

/** The same state before any of its text came, and for each character the operations that bring it, or some of them. */
export function grown(made: Made, p: string): { start: RunState; steps: Op[][] } {
  const start = made(p);
  const growing = leaves(start as never, []).filter(
    ([path, value]) => value === p && !path.some((key) => whole.has(String(key))),
  );
  for (const [path] of growing) set(start as never, path, "");
  const characters = [...p];
  const size = Math.ceil(characters.length / pieces_max);
  const ends = Array.from({ length: Math.ceil(characters.length / size) }, (_, index) => (index + 1) * size);
  const appends = ([path]: [Path, string]) =>
    ["text", "printed"].includes(String(path.at(-1))) || path.includes("args");
  const steps = ends.map((end, index): Op[] => {
    // Of what a kernel sends whole two beginnings will do.
    const isSome = [1, 2, 3].some((third) => index === Math.ceil((ends.length * third) / 3) - 1);
    const soFar = characters.slice(0, end).join("");
    const added = characters.slice(end - size, end).join("");
    return growing.flatMap(([path, value]): Op[] => {
      if (made === typed && appends([path, value])) return [["+", path, added]];
      return isSome ? [["=", path, soFar]] : [];
    });
  });
  return { start, steps };
}

function set(holder: Json, path: Path, value: Json): void {
  const inner = path.slice(0, -1).reduce<Json>((at, key) => (at as JsonObject)[key as string]!, holder);
  (inner as JsonObject)[path.at(-1) as string] = value;
}
