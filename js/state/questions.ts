// What is asked of a state in more than one place.
import type { Call, CallPart, CallStatus, Part, Retry, RunState, RunStatus } from "../protocol.ts";

const ended: ReadonlySet<RunStatus> = new Set(["completed", "cancelled", "failed"]);

export function isEnded(status: RunStatus): boolean {
  return ended.has(status);
}

/** Stopped while it was queued: nothing was sent. */
export function isTakenBack({ stopped_by }: RunState): boolean {
  return stopped_by === "taken_back";
}

export function isEmptyText(part: Part): boolean {
  return (part.kind === "text" || part.kind === "thought") && part.text === "";
}

export function isReasoning(part: Part): boolean {
  return part.kind === "thought" || part.thought;
}

const callEnded: ReadonlySet<CallStatus> = new Set(["succeeded", "failed", "denied", "cancelled"]);

/** The calls that have no result yet. */
export function openCalls(state: RunState): CallPart[] {
  return state.parts.filter(
    (part): part is CallPart => part.kind === "call" && !callEnded.has(part.call.state),
  );
}

/** The calls somebody has to decide about; none where nobody can any more. */
export function waitingCalls(state: RunState): Call[] {
  if (isEnded(state.status)) return [];
  return openCalls(state).flatMap(({ call }) => (call.state === "awaiting_approval" ? [call] : []));
}

/** The attempt a run waits for, if it does. */
export function nextAttempt({ status, steps, retries }: RunState): Retry | null {
  const last = retries?.at(-1);
  return status === "streaming" && last && last.step === steps.length - 1 ? last : null;
}
