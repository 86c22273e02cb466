// What the reader asked, as one quiet line above the answer, and what went with it. A card with a single run hides the
// line: the cell above says it.

import { h } from "../dom/dom.ts";
import type { Json, RunState } from "../protocol.ts";
import { textOf } from "../state/exact.ts";
import { object } from "../state/values.ts";
import { bytes, count } from "../words/formats.ts";
import { ValueView, visibleText } from "./values.ts";

/** The line, and its attachments below; `paint` follows a prompt that was changed at its turn. */
export class PromptLine {
  readonly root: HTMLElement[];
  readonly #view: ValueView;

  constructor(signal: AbortSignal, attachments: readonly string[] = []) {
    this.#view = new ValueView(signal);
    const chips = attachments.map((words) => h("li", { class: "tag" }, visibleText(words)));
    this.root = [
      h("div", { class: "prompt" }, h("span", { class: "who" }, "You"), this.#view.root),
      h("ul", { class: "tags", "aria-label": "Sent with the prompt" }, ...chips),
    ];
  }

  paint({ prompt }: RunState): void {
    const parts = prompt.flatMap((content) => (Array.isArray(content.parts) ? content.parts : []));
    const text = parts.map(partText).filter(Boolean).join("\n");
    this.#view.update(text || (prompt.length > 0 ? "(nothing)" : "Try again"));
  }
}

function partText(value: Json): string {
  const part = object(value);
  if (typeof part.text === "string") return part.text + left(part.cut);
  if (part.functionResponse) {
    const { name, response = null, cut } = object(part.functionResponse);
    return `Answer to ${String(name ?? "a call")}: ${textOf(response)}${left(cut)}`;
  }
  const file = part.inlineData ?? part.fileData;
  if (!file) return "";
  const { mimeType, size_bytes } = object(file);
  const size = typeof size_bytes === "number" ? `, ${bytes(size_bytes)}` : "";
  return `File, ${String(mimeType ?? "unknown type")}${size}`;
}

/** How much of a long text a page does not get. */
function left(cut: Json | undefined): string {
  return typeof cut === "number" ? ` … and ${count(cut, "more character")}` : "";
}
