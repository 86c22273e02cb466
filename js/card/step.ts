// One request and what it brought: its parts as blocks, then where they come from.

import { h } from "../dom/dom.ts";
import { Once } from "../dom/once.ts";
import { type Block, Column } from "../parts/block.ts";
import { CallCard } from "../parts/call.ts";
import { CodeOutput, CodeRun } from "../parts/code_run.ts";
import { FileView } from "../parts/file.ts";
import { Prose } from "../parts/prose.ts";
import { rawBlock } from "../parts/raw.ts";
import { Reasoning } from "../parts/reasoning.ts";
import type { Json, JsonObject, Part, RunState, Step } from "../protocol.ts";
import type { PartChange } from "../state/changes.ts";
import { jsonText } from "../state/exact.ts";
import { isEmptyText, isReasoning } from "../state/questions.ts";
import { object } from "../state/values.ts";
import type { RunContext } from "./context.ts";

export class StepView {
  readonly root = h("div", { class: "step" });
  readonly #flow = h("div", { class: "flow" });
  readonly #notes = h("div", { class: "notes" });
  readonly #column = new Column(this.#flow, (part) => this.#make(part));
  readonly #context: RunContext;
  readonly #signal: AbortSignal;
  readonly #state: () => RunState;
  #newest = -1;
  readonly #shownNotes = new Once();

  constructor(context: RunContext, signal: AbortSignal, state: () => RunState) {
    this.#context = context;
    this.#signal = signal;
    this.#state = state;
    this.root.append(this.#flow, this.#notes);
  }

  /** Draws a part for the first time or again. False: it cannot be drawn in place, the run has to start anew. */
  part(part: Part, change: PartChange): boolean {
    const owner = this.#column.owner(part);
    if (owner) return owner.change(part, change);
    // A part without text draws nothing; what comes around it is still one flow.
    if (isEmptyText(part)) return true;
    if (part.index < this.#newest) return false;
    this.#newest = part.index;
    this.#column.add(part);
    this.root.classList.add("filled");
    return true;
  }

  /** Nothing more comes into this step; `next` is the first part of the next one, if any. */
  close(next: Part | null): void {
    this.#column.last?.close?.(next);
  }

  tick(now_s: number): void {
    this.#column.last?.tick?.(now_s);
  }

  /** Something is drawn. */
  get isFilled(): boolean {
    return this.root.classList.contains("filled");
  }

  /** The prose that may still grow, if the last thing here is prose. */
  get open(): HTMLElement | undefined {
    return this.#column.last?.prose;
  }

  paintNotes(step: Step): void {
    const { grounding, citations, url_context, prompt_feedback, candidates } = step;
    const other = withoutCalm(step.other);
    const now = jsonText([grounding, citations, url_context, prompt_feedback, candidates, other]);
    if (!this.#shownNotes.isNew(now)) return;
    const notes: HTMLElement[] = [];
    if (grounding.length + citations.length + url_context.length) notes.push(this.#sources(step));
    const raw = (label: string, value: Json) => notes.push(this.#raw(label, value, step));
    if (prompt_feedback) raw(feedbackWords(prompt_feedback.blockReason), prompt_feedback);
    if (candidates.length) raw("Other candidates", candidates);
    const names = Object.keys(other);
    if (names.length) raw(`Also came: ${names.join(", ")}`, other);
    this.#notes.replaceChildren(...notes);
    if (notes.length) this.root.classList.add("filled");
  }

  /** Where the answer comes from, drawn by a module. Where none comes, as it came: nothing of an answer is left out. */
  #sources(step: Step): HTMLElement {
    const { grounding, citations, url_context } = step;
    const place = h("div", { class: "notes" });
    const onSilence = () =>
      place.replaceChildren(this.#raw("Sources", { grounding, citations, url_context }, step));
    this.#context
      .loadModule("sources", { onSilence })
      .then(({ sources }) => place.replaceChildren(...sources(step)), onSilence);
    return place;
  }

  /** JSON of the answer, and whether it is what the server sent. */
  #raw(label: string, value: Json, step: Step | undefined): HTMLElement {
    return rawBlock(step?.reading === "sdk" ? `${label} (as the SDK read it)` : label, value, this.#signal);
  }

  #make(part: Part): Block {
    return isReasoning(part)
      ? new Reasoning(part, this.#context, this.#signal, (inner) => this.#plain(inner, this.#signal))
      : this.#plain(part, this.#signal);
  }

  #plain(part: Part, signal: AbortSignal): Block {
    switch (part.kind) {
      case "text":
      case "thought":
        return new Prose(part, this.#context, signal);
      case "call":
        return new CallCard(part, this.#context, signal, () => this.#state().status === "completed");
      case "code":
        return new CodeRun(part, this.#context, signal);
      case "code_result":
        return new CodeOutput(part, signal);
      case "file":
        return new FileView(part, signal);
      default:
        return {
          root: this.#raw("A part of another kind", part.raw ?? null, this.#state().steps[part.step]),
          change: () => false,
        };
    }
  }
}

/** Safety ratings that found nothing come with many answers and say nothing; all else that came is worth a line. */
function withoutCalm(other: JsonObject): JsonObject {
  const { safetyRatings, ...rest } = other ?? {};
  const calm = (rating: Json) => {
    const { probability, blocked } = object(rating);
    return probability === "NEGLIGIBLE" && !blocked;
  };
  const isCalm = safetyRatings === undefined || (Array.isArray(safetyRatings) && safetyRatings.every(calm));
  return isCalm ? rest : { safetyRatings, ...rest };
}

function feedbackWords(reason: Json | undefined): string {
  return typeof reason === "string" ? `Prompt blocked: ${reason}` : "About the prompt";
}
