// What travels between kernel and page, as docs/protocol.md defines it. Names stay as on the wire.

/** A whole number beyond 2^53 is a `bigint`: see `whole` in docs/protocol.md. */
export type Json = null | boolean | number | bigint | string | Json[] | JsonObject;
export type JsonObject = { [key: string]: Json };

export type RunStatus =
  | "queued"
  | "pending"
  | "streaming"
  | "acting"
  | "cancelling"
  | "completed"
  | "cancelled"
  | "failed";

export type CallStatus =
  | "streaming_args"
  | "requested"
  | "awaiting_approval"
  | "running"
  | "succeeded"
  | "failed"
  | "denied"
  | "cancelled";

export type Scope = "once" | "run" | "chat";

export interface Decision {
  otid: number;
  verdict: "approved" | "denied";
  by: "button" | "code" | "policy" | "rule" | "timeout" | "stop";
  reason: string | null;
  edited: boolean;
  scope: Scope;
  at_s: number;
}

/** A tool's result for people; `result` is what the model reads. */
export type Display =
  | { kind: "table"; columns: string[]; rows: Json[][]; row_count: number }
  | { kind: "image"; mime_type: string; data: string }
  | { kind: "text" | "json"; text: string; cut: number };

export interface Call {
  id: string;
  otid: number;
  call_id: string | null;
  name: string;
  args: JsonObject;
  state: CallStatus;
  doc: string;
  schema: JsonObject | null;
  hash: string | null;
  deadline_s: number | null;
  decision: Decision | null;
  used_args: JsonObject | null;
  started_s: number | null;
  ended_s: number | null;
  printed: string;
  result: Json;
  display: Display | null;
  /** While a call waits: why its policy asks. */
  error: string | null;
  traceback: string | null;
}

/** Made by a decision with a scope; decides later calls of the tool until it is revoked. */
export interface Rule {
  id: string;
  tool: string;
  scope: "run" | "chat";
  words: string;
}

interface PartBase {
  index: number;
  otid: number;
  step: number;
  run: string;
  first_s: number;
  last_s: number | null;
  chunks: [number, number][] | null;
  signature: string | null;
  thought: boolean;
  extra?: JsonObject;
}

export interface TextPart extends PartBase {
  kind: "text" | "thought";
  text: string;
}
export interface CallPart extends PartBase {
  kind: "call";
  call: Call;
}
export interface CodePart extends PartBase {
  kind: "code";
  code: string;
  language: string;
}
export interface CodeResultPart extends PartBase {
  kind: "code_result";
  output: string;
  outcome: string;
}
export interface FilePart extends PartBase {
  kind: "file";
  mime_type: string;
  size_bytes: number | null;
  data: string | null;
  uri: string | null;
  name: string | null;
  cut: boolean;
}
export interface OtherPart extends PartBase {
  kind: "other";
  raw: Json;
}

export type Part = TextPart | CallPart | CodePart | CodeResultPart | FilePart | OtherPart;

export type StepOutcome =
  | "completed"
  | "calls"
  | "truncated"
  | "blocked"
  | "malformed"
  | "incomplete"
  | "error"
  | "stopped";

/** Gemini's counters in snake_case; a missing name was never reported. */
export type Usage = JsonObject;

export interface Step {
  index: number;
  started_s: number;
  first_chunk_s: number | null;
  ended_s: number | null;
  chunk_count: number | null;
  outcome: StepOutcome | null;
  finish_reason: string | null;
  finish_message: string | null;
  model_version: string | null;
  response_id: string | null;
  /** Who made the chunks of what the server sent: nobody, or google-genai. An old state lacks it. */
  reading?: "bytes" | "sdk" | null;
  /** Requests so far: Gemini gives a long answer in several. */
  hops: number;
  usage: Usage;
  prompt_feedback: JsonObject | null;
  grounding: JsonObject[];
  citations: JsonObject[];
  url_context: JsonObject[];
  candidates: JsonObject[];
  other: JsonObject;
}

export interface Notice {
  level: "info" | "warn";
  title: string;
  message: string;
}

export interface RunError {
  type: string;
  title: string;
  message: string;
  hint: string;
  code: number | null;
  status: string | null;
}

export interface Receipt {
  by: "button" | "code" | "interrupt" | "closed" | "rerun" | "fork";
  when: "before the request" | "before the first chunk" | "mid-stream" | "between steps";
  asked_s: number;
  closed_s: number | null;
  chunks_after: number;
  tokens: number | null;
}

/** A request that failed before anything of the answer came; the next attempt begins at `until_s`. */
export interface Retry {
  step: number;
  attempt: number;
  of: number;
  title: string;
  message: string;
  failed_s: number;
  until_s: number;
}

/** What a reader may ask for after a run that did not end well. */
export type Offer = "repair" | "continue" | "anew";

export interface RunState {
  id: string;
  model: string;
  demo: boolean;
  /** Without its bytes, and with long texts cut: see Prompt in docs/protocol.md. */
  prompt: JsonObject[];
  /** An old notebook's state lacks these. */
  attachments?: string[];
  status: RunStatus;
  stopped_by: "calls" | "max_hops" | "max_steps" | "max_tokens_total" | "taken_back" | null;
  tokens: number | null;
  parts: Part[];
  steps: Step[];
  usage: Usage;
  first_chunk_s: number | null;
  first_text_s: number | null;
  ended_s: number | null;
  notice: Notice | null;
  error: RunError | null;
  receipt: Receipt | null;
  rules: Rule[];
  /** An old notebook's state lacks this one and the next. */
  retries?: Retry[];
  offers?: Offer[];
}

export type Path = (string | number)[];
/** `whole`: paths below the value at which a string is the digits of a whole number too large for JavaScript. */
export type Op = ["+", Path, string] | ["=", Path, Json, whole?: Path[]];

export interface PatchMessage {
  op: "patch";
  run: string;
  seq: number;
  ops: Op[];
}
export interface SnapMessage {
  op: "snap";
  run: string;
  seq: number;
  at_s: number;
  state: RunState;
  /** As in `Op`, from the state's root. */
  whole?: Path[];
}
export interface BeatMessage {
  op: "beat";
  run: string;
  seq: number;
  at_s: number;
  status: RunStatus;
}
export interface RefusedMessage {
  op: "refused";
  run: string;
  /** Null where the run was not asked for again. */
  call: string | null;
  message: string;
}
export interface ModuleMessage {
  op: "module";
  name: string;
  id: string;
}
export type KernelMessage = PatchMessage | SnapMessage | BeatMessage | RefusedMessage | ModuleMessage;

/** One person's decision about one call as it was shown. */
export interface Choice {
  hash: string;
  verdict: "approve" | "deny";
  /** The edited arguments as JSON text, which holds every number exactly; null: as the model sent them. */
  args: string | null;
  reason: string | null;
  scope: Scope;
}

export type PageMessage =
  | { op: "stop"; run: string }
  | { op: "resync"; run: string | null; have: number }
  | ({ op: "decide"; run: string; call: string } & Choice)
  | { op: "revoke"; run: string; rule: string }
  | { op: "again"; run: string; how: Offer }
  | { op: "module"; name: string };

export interface Snapshot {
  runs: Pick<SnapMessage, "seq" | "at_s" | "state" | "whole">[];
}

export interface Traits {
  snapshot: Snapshot;
  stop_run: string;
}
