// Every sentence about time, state and what a Stop cut, as plain functions of the state.
import {
  type Call,
  type CallPart,
  type CallStatus,
  type Decision,
  isEnded,
  type Part,
  type Receipt,
  type Retry,
  type RunState,
} from "./protocol.ts";

export type Tone = "plain" | "muted" | "wait" | "good" | "bad";
export type IconName =
  | "alert"
  | "arrowDown"
  | "check"
  | "chevron"
  | "clock"
  | "code"
  | "copy"
  | "cross"
  | "file"
  | "info"
  | "link"
  | "search"
  | "spin"
  | "stop"
  | "tool";

export interface Phase {
  /** Same key, same phase: what a screen reader is told changes only with it. */
  key: string;
  word: string;
  icon: IconName;
  tone: Tone;
}

/** 2.1 s, 1 min 05 s, 1 h 02 min */
export function duration(seconds: number): string {
  if (seconds < 59.95) return `${Math.max(0, seconds).toFixed(1)} s`;
  const whole = Math.round(seconds);
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes} min ${String(whole % 60).padStart(2, "0")} s`;
  return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, "0")} min`;
}

export function count(value: number, one: string, many = `${one}s`): string {
  return `${value.toLocaleString("en-US")} ${value === 1 ? one : many}`;
}

export function bytes(size: number): string {
  if (size < 1000) return count(size, "byte");
  if (size < 999_950) return `${(size / 1000).toFixed(size < 9950 ? 1 : 0)} kB`;
  return `${(size / 1e6).toFixed(1)} MB`;
}

export function isEmptyText(part: Part): boolean {
  return (part.kind === "text" || part.kind === "thought") && part.text === "";
}

const callEnded: ReadonlySet<CallStatus> = new Set(["succeeded", "failed", "denied", "cancelled"]);

/** What the run is doing, in a word or two. */
export function phase(state: RunState, stopping: boolean): Phase {
  if (stopping || state.status === "cancelling") return going("stopping", "Stopping…");
  switch (state.status) {
    case "pending":
      return going("connecting", "Connecting");
    case "streaming":
      return streaming(state);
    case "acting":
      return acting(state);
    case "completed":
      return completed(state);
    case "cancelled":
      return { key: "cancelled", word: "Stopped", icon: "stop", tone: "plain" };
    case "failed":
      return { key: "failed", word: "Failed", icon: "cross", tone: "bad" };
  }
}

function going(key: string, word: string): Phase {
  return { key, word, icon: "spin", tone: "plain" };
}

/** The attempt a run waits for, if it does. */
export function nextAttempt({ status, steps, retries }: RunState): Retry | null {
  const last = retries?.at(-1);
  return status === "streaming" && last && last.step === steps.length - 1 ? last : null;
}

export function attemptWords({ title, attempt, of, until_s }: Retry, now_s: number): string {
  return `${title}: attempt ${attempt + 1} of ${of} in ${Math.max(0, Math.ceil(until_s - now_s))} s`;
}

function streaming(state: RunState): Phase {
  const retry = nextAttempt(state);
  if (retry) return { key: `retry${retry.step}`, word: "Trying again", icon: "clock", tone: "wait" };
  const step = state.steps.at(-1);
  const last = state.parts.findLast((part) => !isEmptyText(part));
  if (!step || step.first_chunk_s === null) return going(`connecting${step?.index ?? 0}`, "Connecting");
  if (!last || last.step !== step.index) return going(`waiting${step.index}`, "Waiting for the answer");
  if (last.thought || last.kind === "thought") return going(`thought${step.index}`, "Reasoning");
  if (last.kind === "call") return going(`call${last.index}`, `Calling ${last.call.name || "a tool"}`);
  if (last.kind === "code")
    return going(`code${last.index}`, last.last_s === null ? "Writing code" : "Running code");
  return going(`text${step.index}`, "Writing");
}

function openCalls(state: RunState): CallPart[] {
  return state.parts.filter(
    (part): part is CallPart => part.kind === "call" && !callEnded.has(part.call.state),
  );
}

/** The calls somebody has to decide about; none where nobody can any more. */
export function waitingCalls(state: RunState): Call[] {
  if (isEnded(state.status)) return [];
  return openCalls(state).flatMap(({ call }) => (call.state === "awaiting_approval" ? [call] : []));
}

function acting(state: RunState): Phase {
  const calls = openCalls(state);
  if (waitingCalls(state).length > 0)
    return { key: "approval", word: "Waiting for approval", icon: "clock", tone: "wait" };
  const running = calls.filter((part) => part.call.state === "running");
  const names = nameList(running.length > 0 ? running : calls);
  const word = running.length > 0 ? "Running" : "Calling";
  return going(`acting${calls.map((part) => part.index).join()}`, names ? `${word} ${names}` : "Working");
}

function completed(state: RunState): Phase {
  if (state.stopped_by !== "calls") return { key: "completed", word: "Done", icon: "check", tone: "plain" };
  const calls = openCalls(state);
  const names = nameList(calls.length > 0 ? calls : state.parts.filter((part) => part.kind === "call"));
  return {
    key: "asked",
    word: names ? `Asked for ${names}` : "Waiting for your answer",
    icon: "clock",
    tone: "wait",
  };
}

function nameList(calls: readonly CallPart[]): string {
  const first = calls[0]?.call.name;
  if (calls.length <= 1) return first ?? "";
  return `${first} and ${calls.length - 1} more`;
}

export function callChip(
  { state, started_s, ended_s }: Call,
  waitsForCaller: boolean,
): { word: string; icon: IconName; tone: Tone } {
  switch (state) {
    case "streaming_args":
      return { word: "Arguments arriving", icon: "spin", tone: "muted" };
    case "requested":
      return waitsForCaller
        ? { word: "Waits for your answer", icon: "clock", tone: "wait" }
        : { word: "Asked for", icon: "clock", tone: "muted" };
    case "awaiting_approval":
      return { word: "Waiting for you", icon: "clock", tone: "wait" };
    case "running":
      return { word: "Running", icon: "spin", tone: "muted" };
    case "succeeded":
      return { word: `Done${took(started_s, ended_s)}`, icon: "check", tone: "good" };
    case "failed":
      return { word: `Failed${took(started_s, ended_s)}`, icon: "cross", tone: "bad" };
    case "denied":
      return { word: "Denied", icon: "cross", tone: "bad" };
    case "cancelled":
      return { word: "Stopped", icon: "stop", tone: "muted" };
  }
}

/** Tools often take less than a tenth of a second. */
function took(from_s: number | null, to_s: number | null): string {
  // An old notebook's state may lack both.
  if (typeof from_s !== "number" || typeof to_s !== "number") return "";
  const s = to_s - from_s;
  return s < 1 ? `, ${Math.max(0, s).toFixed(2)} s` : `, ${duration(s)}`;
}

const deciders: Partial<Record<Decision["by"], string>> = {
  button: "by you",
  code: "from code",
  policy: "by policy",
  rule: "by a rule",
};

/** Who decided what, and why. Nothing where a policy let a call pass without a word. */
export function decisionWords({ verdict, by, reason, edited, scope }: Decision): string {
  if (by === "stop") return "Stopped";
  if (by === "timeout") return "Denied: no decision in time";
  const approved = verdict === "approved";
  if (approved && by === "policy" && !reason) return "";
  const word = !approved ? "Denied" : by === "policy" || by === "rule" ? "Allowed" : "Approved";
  const where = scope === "once" ? "" : `, also later ones in this ${scope}`;
  const changed = edited ? ", arguments edited" : "";
  return `${word} ${deciders[by]}${where}${changed}${reason ? `: ${reason}` : ""}`;
}

const stoppers: Record<Receipt["by"], string> = {
  button: "Stopped by you",
  code: "Stopped from code",
  interrupt: "Stopped by interrupting the kernel",
  closed: "Stopped because the card was closed",
};

/** What a Stop did: who, when, how fast the connection was gone, what it cost and what is kept. */
export function receiptWords(receipt: Receipt, state: RunState): { title: string; message: string } {
  const title = `${stoppers[receipt.by] ?? "Stopped"} at ${receipt.asked_s.toFixed(2)} s.`;
  const words = [connection(receipt)];
  if (receipt.tokens !== null) words.push(`${count(receipt.tokens, "token")} reported.`);
  else if (receipt.when !== "before the request") words.push("No token count was reported.");
  words.push(`${kept(state)}; the conversation can go on.`);
  return { title, message: words.join(" ") };
}

function connection(receipt: Receipt): string {
  if (receipt.when === "before the request") return "Nothing had been sent.";
  if (receipt.closed_s === null)
    return receipt.when === "between steps"
      ? "No connection was open."
      : "The connection did not close in the time given.";
  const took_ms = Math.max(0, Math.round((receipt.closed_s - receipt.asked_s) * 1000));
  const took = took_ms < 1 ? "less than 1 ms" : took_ms < 1000 ? `${took_ms} ms` : duration(took_ms / 1000);
  const after = receipt.chunks_after;
  const chunks = after === 0 ? "no chunk came after" : `${count(after, "chunk")} came in between`;
  const first = receipt.when === "before the first chunk" && after === 0 ? "before the first chunk" : chunks;
  return `Connection closed ${took} later, ${first}.`;
}

function kept(state: RunState): string {
  const kinds = new Set(state.parts.filter((part) => !isEmptyText(part)).map((part) => part.kind));
  if (kinds.size === 0) return "Kept: your prompt";
  if (kinds.size === 1 && kinds.has("text")) return "Kept: the text above";
  if (kinds.size === 1 && kinds.has("thought")) return "Kept: the reasoning above";
  return "Kept: everything above";
}

/** Gemini's counters, in the order a reader asks for them. */
export function usageRows(state: RunState): [string, string][] {
  const names: [string, string][] = [
    ["prompt_token_count", "prompt"],
    ["cached_content_token_count", "of it cached"],
    ["tool_use_prompt_token_count", "tool prompt"],
    ["thoughts_token_count", "reasoning"],
    ["candidates_token_count", "output"],
    ["total_token_count", "total"],
  ];
  return names.flatMap(([name, word]) => {
    const value = state.usage[name];
    return typeof value === "number" ? [[word, value.toLocaleString("en-US")] as [string, string]] : [];
  });
}

/** Why the page doubts that the kernel listens; null when there is nothing to say. */
export function linkTrouble(link: {
  ended: boolean;
  stop_asked_ms: number | null;
  word_ms: number;
  now_ms: number;
}): string | null {
  if (link.ended) return null;
  const silent_s = Math.floor((link.now_ms - link.word_ms) / 1000);
  if (silent_s >= 7) return `No word from the kernel for ${silent_s} s`;
  if (link.stop_asked_ms === null) return null;
  const asked_s = Math.floor((link.now_ms - link.stop_asked_ms) / 1000);
  return asked_s >= 3 ? `The kernel has not answered the Stop for ${asked_s} s` : null;
}
