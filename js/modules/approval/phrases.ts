// The sentences of the form.
import { count, duration } from "../../core.ts";
import type { Call, Scope } from "../../protocol.ts";

export const scopes: readonly [Scope, string][] = [
  ["once", "this call"],
  ["run", "this run"],
  ["chat", "this chat"],
];

/** The rule a decision makes; the kernel words it the same way once it is made. */
export function ruleWords(tool: string, scope: Scope): string {
  if (scope === "once") return "";
  return `Approve: every later call of ${tool} runs without asking, in this ${scope}. Deny: every one is denied.`;
}

/** Whole seconds, rounded up: "1 s" is said until nothing is left. */
export function deadlineWords(deadline_s: number, now_s: number): string {
  const left_s = Math.ceil(deadline_s - now_s);
  if (left_s <= 0) return "Time is up";
  return `Denied in ${left_s < 60 ? `${left_s} s` : duration(left_s)} if nobody decides`;
}

export function waitingWords(calls: number, edited: number, held: number): string {
  const words = [`${count(calls, "call waits", "calls wait")} for you`];
  if (edited > 0) words.push(`${edited} edited`);
  if (held > 0) words.push(`${held} with more to see before they can be approved`);
  return words.join(", ");
}

const names_max = 3;

/** Why Approve waits: arguments whose end nobody had in view. */
export function heldWords(names: readonly string[]): string {
  const some = names.slice(0, names_max).map((name) => (name.length > 40 ? `${name.slice(0, 40)}…` : name));
  const rest = names.length > names_max ? ` and ${names.length - names_max} more` : "";
  return `Approve waits until the end was in view of: ${some.join(", ")}${rest}`;
}

/** How to decide where this form cannot. */
export function codeWords(call: Pick<Call, "id">): string {
  const id = JSON.stringify(call.id);
  return `run.approve(${id}) or run.deny(${id})`;
}
