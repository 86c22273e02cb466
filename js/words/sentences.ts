// Every sentence about decisions, a Stop, counters and the kernel, as plain functions of the state.
import type { Decision, Receipt, Retry, RunState } from "../protocol.ts";
import { isEmptyText } from "../state/questions.ts";
import { count, duration } from "./formats.ts";

export function attemptWords({ title, attempt, of, until_s }: Retry, now_s: number): string {
  return `${title}: attempt ${attempt + 1} of ${of} in ${Math.max(0, Math.ceil(until_s - now_s))} s`;
}

const deciders: Partial<Record<Decision["by"], string>> = {
  button: " by you",
  code: " from code",
  policy: " by policy",
  rule: " by a rule",
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
  return `${word}${deciders[by] ?? ""}${where}${changed}${reason ? `: ${reason}` : ""}`;
}

const stoppers: Record<Receipt["by"], string> = {
  button: "by you",
  code: "from code",
  interrupt: "by interrupting the kernel",
  closed: "as its card was closed",
  rerun: "as its cell ran again",
  fork: "by a fork",
};

/** What a Stop did: who, when, how fast the connection was gone, what it cost and what is kept. */
export function receiptWords(receipt: Receipt, state: RunState): { title: string; message: string } {
  const title = `Stopped ${stoppers[receipt.by] ?? ""} at ${receipt.asked_s.toFixed(2)} s.`;
  const words = [connection(receipt)];
  if (receipt.tokens !== null) words.push(`${count(receipt.tokens, "token")} reported.`);
  else if (receipt.when !== "before the request") words.push("No tokens were reported.");
  words.push(`${kept(state)}; the conversation can go on.`);
  return { title, message: words.join(" ") };
}

function connection(receipt: Receipt): string {
  if (receipt.when === "before the request") return "Nothing was sent.";
  if (receipt.closed_s === null)
    return receipt.when === "between steps"
      ? "No connection was open."
      : "The connection did not close in time.";
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
    ["prompt", "prompt"],
    ["cached_content", "of it cached"],
    ["tool_use_prompt", "tool prompt"],
    ["thoughts", "reasoning"],
    ["candidates", "output"],
    ["total", "total"],
  ];
  return names.flatMap(([name, word]) => {
    const value = state.usage[`${name}_token_count`];
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
