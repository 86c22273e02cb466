// What a run and a call are doing, in a word or two with an icon.
import type { IconName } from "../dom/icons.ts";
import type { Call, CallPart, RunState } from "../protocol.ts";
import { isEmptyText, isTakenBack, nextAttempt, openCalls, waitingCalls } from "../state/questions.ts";
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
  if (stopping || state.status === "cancelling") return made("stopping", "Stopping…");
  switch (state.status) {
    case "queued":
      return made("queued", "Waiting for its turn", "clock");
    case "pending":
      return made("connecting", "Connecting");
    case "streaming":
      return streaming(state);
    case "acting":
      return acting(state);
    case "completed":
      return completed(state);
    case "cancelled":
      return made("cancelled", isTakenBack(state) ? "Taken back" : "Stopped", "stop");
    case "failed":
      return made("failed", "Failed", "cross", "bad");
    default:
      return made(`status ${state.status}`, "Working");
  }
}

/** Of a run that goes on in a saved notebook, where nobody writes on. */
export function leftPhase({ status }: RunState): Phase {
  return made("left", status === "queued" ? "Saved before its turn" : "Saved while it was written", "info");
}

/** What goes on by itself spins. */
function made(key: string, word: string, icon: IconName = "spin", tone: Tone = "plain"): Phase {
  return { key, word, icon, tone };
}

function streaming(state: RunState): Phase {
  const retry = nextAttempt(state);
  if (retry) return made(`retry${retry.step}`, "Trying again", "clock", "wait");
  const step = state.steps.at(-1);
  const last = state.parts.findLast((part) => !isEmptyText(part));
  if (!step || step.first_chunk_s === null) return made(`connecting${step?.index ?? 0}`, "Connecting");
  if (!last || last.step !== step.index) return made(`waiting${step.index}`, "Waiting for the answer");
  const part = step.hops > 1 ? `, part ${step.hops}` : "";
  if (last.thought || last.kind === "thought") return made(`thought${step.index}`, `Reasoning${part}`);
  if (last.kind === "call") return made(`call${last.index}`, `Calling ${last.call.name || "a tool"}`);
  if (last.kind === "code")
    return made(`code${last.index}`, last.last_s === null ? "Writing code" : "Running code");
  return made(`text${step.index}`, `Writing${part}`);
}

function acting(state: RunState): Phase {
  const calls = openCalls(state);
  if (waitingCalls(state).length > 0) return made("approval", "Waiting for approval", "clock", "wait");
  const running = calls.filter((part) => part.call.state === "running");
  const names = nameList(running.length > 0 ? running : calls);
  const word = running.length > 0 ? "Running" : "Calling";
  return made(`acting${calls.map((part) => part.index).join()}`, names ? `${word} ${names}` : "Working");
}

function completed(state: RunState): Phase {
  if (state.stopped_by !== "calls") return made("completed", "Done", "check");
  const calls = openCalls(state);
  const names = nameList(calls.length > 0 ? calls : state.parts.filter((part) => part.kind === "call"));
  return made("asked", names ? `Asked for ${names}` : "Waiting for your answer", "clock", "wait");
}

function nameList(calls: readonly CallPart[]): string {
  const first = calls[0]?.call.name;
  if (calls.length <= 1) return first ?? "";
  return `${first} and ${calls.length - 1} more`;
}

export function callChip({ state, started_s, ended_s }: Call, waitsForCaller: boolean): Phase {
  switch (state) {
    case "streaming_args":
      return made(state, "Arguments arriving", "spin", "muted");
    case "requested":
      return waitsForCaller
        ? made(state, "Waits for your answer", "clock", "wait")
        : made(state, "Asked for", "clock", "muted");
    case "awaiting_approval":
      return made(state, "Waiting for you", "clock", "wait");
    case "running":
      return made(state, "Running", "spin", "muted");
    case "succeeded":
      return made(state, `Done${took(started_s, ended_s)}`, "check", "good");
    case "failed":
      return made(state, `Failed${took(started_s, ended_s)}`, "cross", "bad");
    case "denied":
      return made(state, "Denied", "cross", "bad");
    case "cancelled":
      return made(state, "Stopped", "stop", "muted");
    // What a later kernel may say.
    default:
      return made(state, String(state), "info", "muted");
  }
}

/** Tools often take less than a tenth of a second. */
function took(from_s: number | null, to_s: number | null): string {
  // An old notebook's state may lack both.
  if (typeof from_s !== "number" || typeof to_s !== "number") return "";
  const s = to_s - from_s;
  return s < 1 ? `, ${Math.max(0, s).toFixed(2)} s` : `, ${duration(s)}`;
}
