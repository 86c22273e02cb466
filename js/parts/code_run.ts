// Code the model ran, and what it printed.

import { h } from "../dom/dom.ts";
import { icon } from "../dom/icons.ts";
import { Once } from "../dom/once.ts";
import { MarkdownStream } from "../markdown/stream.ts";
import type { CodePart, CodeResultPart, Part } from "../protocol.ts";
import type { Block } from "./block.ts";
import type { PartContext } from "./context.ts";
import { ValueView, visibleText } from "./values.ts";

/** Drawn as a fenced block, so that code looks and is highlighted the same wherever it comes from. */
export class CodeRun implements Block {
  readonly root = h("div", { class: "code-run", role: "group", "aria-label": "Code run by the model" });
  readonly #body = h("div", { class: "prose" });
  readonly #shown = new Once();
  #painting = new AbortController();

  readonly #context: PartContext;
  readonly #signal: AbortSignal;

  constructor(part: CodePart, context: PartContext, signal: AbortSignal) {
    this.#context = context;
    this.#signal = signal;
    const language =
      part.language && part.language !== "LANGUAGE_UNSPECIFIED" ? part.language.toLowerCase() : "code";
    const name = language === "python" ? "Python" : language;
    this.root.append(
      h("header", null, icon("code"), h("span", null, visibleText(`${name}, run by the model`))),
      this.#body,
    );
    this.#paint(part);
  }

  change(part: Part): boolean {
    this.#paint(part as CodePart);
    return true;
  }

  #paint(part: CodePart): void {
    if (!this.#shown.isNew(part.code)) return;
    this.#painting.abort();
    this.#painting = new AbortController();
    this.#body.replaceChildren();
    const signal = AbortSignal.any([this.#signal, this.#painting.signal]);
    const stream = new MarkdownStream(this.#body, {
      signal,
      headingOffset: 2,
      loadModule: this.#context.loadModule,
    });
    stream.write(fenced(part.code, part.language));
    stream.end();
  }
}

/** A fence that no run of backticks in the code can close. */
export function fenced(code: string, language: string): string {
  const longest = Math.max(2, ...Array.from(code.matchAll(/`+/g), ([ticks]) => ticks.length));
  const fence = "`".repeat(longest + 1);
  const info =
    /^[\w+#.-]+$/.test(language) && language !== "LANGUAGE_UNSPECIFIED" ? language.toLowerCase() : "";
  return `${fence}${info}\n${code}${code.endsWith("\n") ? "" : "\n"}${fence}\n`;
}

const outcomes = new Map([
  ["OUTCOME_FAILED", "Failed"],
  ["OUTCOME_DEADLINE_EXCEEDED", "Ran out of time"],
]);

export class CodeOutput implements Block {
  readonly root: HTMLElement;
  readonly #state = h("span", { class: "chip bad" });
  readonly #output: ValueView;

  constructor(part: CodeResultPart, signal: AbortSignal) {
    this.#output = new ValueView(signal, true);
    const header = h("header", null, h("span", null, "Output"), h("span", { class: "grow" }), this.#state);
    this.root = h(
      "div",
      { class: "code-output", role: "group", "aria-label": "Output" },
      header,
      this.#output.root,
    );
    this.#paint(part);
  }

  change(part: Part): boolean {
    this.#paint(part as CodeResultPart);
    return true;
  }

  #paint(part: CodeResultPart): void {
    const bad = part.outcome !== "OUTCOME_OK" && part.outcome !== "OUTCOME_UNSPECIFIED" && part.outcome;
    this.#state.replaceChildren(...(bad ? [icon("cross"), visibleText(outcomes.get(bad) ?? bad)] : []));
    this.#output.update(part.output.trimEnd() || "No output");
  }
}
