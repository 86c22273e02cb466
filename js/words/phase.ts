// What a run and a call are doing, in a word or two with an icon.
import type { IconName } from "../dom/icons.ts";
import type { Call, CallPart, RunState } from "../protocol.ts";
import { isEmptyText, nextAttempt, openCalls, waitingCalls } from "../state/questions.ts";
import { duration } from "./formats.ts";

export type Tone = "plain" | "muted" | "wait" | "good" | "bad";

export interface Phase {
  /** Same key, same phase: what a screen reader is told changes only with it. */
  key: string;
  word: string;
  icon: IconName;
  tone: Tone;
}

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
    default:
      return going(`status ${state.status}`, "Working");
  }
}

/** Of a run that goes on in a saved notebook, where nobody writes on. */
export const leftPhase: Phase = {
  key: "left",
  word: "Saved while it was written",
  icon: "info",
  tone: "plain",
};

function going(key: string, word: string): Phase {
  return { key, word, icon: "spin", tone: "plain" };
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
    // What a later kernel may say.
    default:
      return { word: String(state), icon: "info", tone: "muted" };
  }
}

/** Tools often take less than a tenth of a second. */
function took(from_s: number | null, to_s: number | null): string {
  // An old notebook's state may lack both.
  if (typeof from_s !== "number" || typeof to_s !== "number") return "";
  const s = to_s - from_s;
  return s < 1 ? `, ${Math.max(0, s).toFixed(2)} s` : `, ${duration(s)}`;
}
