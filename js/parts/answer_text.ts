// The answer as markdown, for the clipboard.
import type { Part, RunState } from "../protocol.ts";
import { jsonText } from "../state/exact.ts";
import { fenced } from "./code_run.ts";

/** Text and code of the whole answer, without the reasoning; the calls when there is nothing else. */
export function answerMarkdown(state: RunState): string {
  const answer = state.parts.filter((part) => !part.thought && part.kind !== "thought");
  const prose = join(answer.filter((part) => part.kind !== "call"));
  return prose || join(answer);
}

function join(parts: readonly Part[]): string {
  let out = "";
  let before: Part | null = null;
  for (const part of parts) {
    const text = markdown(part);
    if (!text) continue;
    const oneFlow = before?.kind === "text" && part.kind === "text" && before.step === part.step;
    out = oneFlow || !out ? out + text : `${out.trimEnd()}\n\n${text}`;
    before = part;
  }
  return out.trim();
}

function markdown(part: Part): string {
  switch (part.kind) {
    case "text":
      return part.text;
    case "code":
      return fenced(part.code, part.language);
    case "code_result":
      return part.output ? fenced(part.output, "text") : "";
    case "call":
      return fenced(jsonText({ name: part.call.name, args: part.call.args }, 2), "json");
    case "file":
      return part.uri ?? "";
    default:
      return "";
  }
}
