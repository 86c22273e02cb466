/** Code blocks: the frame with its language and Copy button, and text kept in spans of bounded size. */
import { h } from "../dom/dom.ts";
import { decodeEntities } from "./entities.ts";
import { SPAN_LINES } from "./limits.ts";

const LANGUAGE = /^[\w+#.-]{1,32}/;

/** The first word of a fence's info string when it can be a class name, else "". */
export function languageOf(info: string | undefined): string {
  return LANGUAGE.exec(decodeEntities((info ?? "").trim()))?.[0] ?? "";
}

/** What a reader of code does not see, or sees in another order than it runs in. */
const HIDDEN = /[\u00ad\u061c\u200b\u200c\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff]/;

/** Appends whole lines to an element in spans of SPAN_LINES lines, so that layout only touches the last one. */
export class LineSpans {
  #span: HTMLSpanElement | null = null;
  #lines = 0;

  readonly #parent: HTMLElement;
  readonly #before: Node | null;

  constructor(parent: HTMLElement, before: Node | null = null) {
    this.#parent = parent;
    this.#before = before;
  }

  /** `lines` without their line ends. */
  append(lines: readonly string[]): void {
    for (let at = 0; at < lines.length; ) {
      const take = lines.slice(at, at + SPAN_LINES - this.#lines);
      if (this.#span === null) {
        this.#span = document.createElement("span");
        this.#span.className = "gs-lines";
        this.#parent.insertBefore(this.#span, this.#before);
      }
      const text = `${take.join("\n")}\n`;
      if (HIDDEN.test(text)) this.#parent.classList.add("gs-odd");
      if (this.#span.lastChild instanceof Text) this.#span.lastChild.appendData(text);
      else this.#span.append(text);
      this.#lines += take.length;
      at += take.length;
      if (this.#lines >= SPAN_LINES) {
        this.#span = null;
        this.#lines = 0;
      }
    }
  }
}

export interface CodeBlock {
  /** What goes into the page. */
  element: HTMLElement;
  pre: HTMLElement;
  code: HTMLElement;
}

/** An empty code block. */
export function codeBlock(language: string): CodeBlock {
  const code = h("code", { class: (language && `language-${language}`) || null });
  const label = language === "" ? "Code" : `Code, ${language}`;
  const pre = h("pre", { tabindex: 0, role: "group", "aria-label": label }, code);
  const copy = h("button", { type: "button", class: "gs-copy" }, "Copy");
  const head = h("div", { class: "gs-code-head" }, h("span", { class: "gs-code-language" }, language), copy);
  return { element: h("div", { class: "gs-code" }, head, pre), pre, code };
}

/** The text of a code block as it was written. */
export function codeText(code: Element): string {
  return code.textContent ?? "";
}

const OPENING = /^( {0,3})(`{3,}|~{3,})[^\n]*(?:\n|$)/;

/** What a fence needs to know to read its lines. */
export interface FenceRules {
  closing: RegExp;
  /** Takes away up to the fence's own indentation. */
  strip(line: string): string;
}

/** Reads the opening line of a fenced block. */
export function fenceRules(raw: string): (FenceRules & { openingLength: number }) | null {
  const match = OPENING.exec(raw);
  if (match === null) return null;
  const indent = match[1]?.length ?? 0;
  const mark = match[2] ?? "";
  const leading = new RegExp(`^ {0,${indent}}`);
  return {
    openingLength: match[0].length,
    // Only spaces may follow: marked 18.2.1 does not close on a tab, and both must agree on where a block ends.
    closing: new RegExp(`^ {0,3}${mark.charAt(0)}{${mark.length},} *$`),
    strip: (line) => (indent === 0 ? line : line.replace(leading, "")),
  };
}

/** The lines of a fenced block's body, given its source. marked's own `text` keeps indentation of `~~~` blocks. */
export function fenceLines(raw: string): string[] | null {
  const rules = fenceRules(raw);
  if (rules === null) return null;
  const lines = raw.slice(rules.openingLength).split("\n");
  const close = lines.findIndex((line) => rules.closing.test(line));
  if (close >= 0) lines.length = close;
  else if (lines.at(-1) === "") lines.pop();
  return lines.map(rules.strip);
}
