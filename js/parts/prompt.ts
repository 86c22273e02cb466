// What the reader asked, as one quiet line above the answer. A card with a single run hides it: the cell above says it.

import { h } from "../dom/dom.ts";
import type { Json, JsonObject } from "../protocol.ts";
import { jsonText } from "../state/exact.ts";
import { ValueView } from "./values.ts";

export function promptLine(prompt: readonly JsonObject[], signal: AbortSignal): HTMLElement {
  const view = new ValueView(signal);
  view.update(promptText(prompt));
  return h("div", { class: "prompt" }, h("span", { class: "who" }, "You"), view.root);
}

function promptText(prompt: readonly JsonObject[]): string {
  const parts = prompt.flatMap((content) => (Array.isArray(content.parts) ? content.parts : []));
  return parts.map(partText).filter(Boolean).join("\n") || (prompt.length > 0 ? "(nothing)" : "Try again");
}

function partText(part: Json): string {
  if (typeof part !== "object" || part === null || Array.isArray(part)) return "";
  if (typeof part.text === "string") return part.text;
  const answer = part.functionResponse as JsonObject | undefined;
  if (answer) return `Answer to ${String(answer.name ?? "a call")}: ${jsonText(answer.response ?? null)}`;
  const file = (part.inlineData ?? part.fileData) as JsonObject | undefined;
  return file ? `File, ${String(file.mimeType ?? "unknown type")}` : "";
}
