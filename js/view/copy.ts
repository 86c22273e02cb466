// The answer as markdown, and the way to the clipboard, which not every notebook host allows.
import type { Part, RunState } from "../protocol.ts";
import { fenced } from "./code.ts";
import { h } from "./dom.ts";

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
      return fenced(JSON.stringify({ name: part.call.name, args: part.call.args }, null, 2), "json");
    case "file":
      return part.uri ?? "";
    default:
      return "";
  }
}

/** Whether the text is on the clipboard. `near` is where a helper element may stand for a moment. */
export async function copyText(text: string, near: Element): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyBySelection(text, near);
  }
}

/** For pages without a secure context, where navigator.clipboard does not exist. */
function copyBySelection(text: string, near: Element): boolean {
  const root = near.getRootNode() as ShadowRoot | Document;
  const focused = root.activeElement;
  const area = h("textarea", { class: "sr", readonly: true, tabindex: -1, "aria-hidden": "true" });
  area.value = text;
  near.append(area);
  area.select();
  let done = false;
  try {
    done = document.execCommand("copy");
  } catch {
    // Reported as not copied.
  }
  area.remove();
  if (focused instanceof HTMLElement) focused.focus({ preventScroll: true });
  return done;
}
