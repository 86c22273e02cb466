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
        this.#span = h("span", { class: "gs-lines" });
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

const OPENING = /^( {0,3})(`{3,}(?![^\n]*`)|~{3,})([^\n]*)(?:\n|$)/;
/** Languages of documents that have fences of their own. */
const DOCUMENT = /^(?:markdown|mdx?)\b/i;
const FENCE = /^ {0,3}(`{3,}|~{3,}) *(.*)$/;

/** What a fence needs to know to read its lines. */
export interface FenceRules {
  openingLength: number;
  info: string;
  /** Fences inside come in pairs: one that names a language opens, and the next bare one closes what it opened. */
  isDocument: boolean;
  /** Whether a line ends the block. It is asked of each in order, once. */
  closes(line: string): boolean;
  /** Takes away up to the fence's own indentation. */
  strip(line: string): string;
}

/** Reads the opening line of a fenced block. */
export function fenceRules(raw: string): FenceRules | null {
  const match = OPENING.exec(raw);
  if (match === null) return null;
  const [opening, { length: indent } = "", mark = "", rest = ""] = match;
  const info = rest.trim().replace(/\\([!-/:-@[-`{-~])/g, "$1");
  const isDocument = DOCUMENT.test(info);
  const leading = new RegExp(`^ {0,${indent}}`);
  /** How long the marks are that are open, the block's own first. */
  const open = [mark.length];
  return {
    openingLength: opening.length,
    info,
    isDocument,
    closes(line) {
      const [, run = "", language = ""] = FENCE.exec(line) ?? [];
      if (run[0] !== mark[0]) return false;
      if (language === "") {
        if (run.length >= (open.at(-1) as number)) open.pop();
      } else if (isDocument && run.length >= mark.length && !language.includes("`")) open.push(run.length);
      return open.length === 0;
    },
    strip: (line) => (indent === 0 ? line : line.replace(leading, "")),
  };
}

/** The lines of the fenced block that `text` begins with, and how long it is without the line end after it. */
export function readFence(text: string, rules: FenceRules): { lines: string[]; length: number } {
  const lines: string[] = [];
  let at = rules.openingLength;
  while (at < text.length) {
    const newline = text.indexOf("\n", at);
    const end = newline < 0 ? text.length : newline;
    const line = text.slice(at, end);
    if (rules.closes(line)) return { lines, length: end };
    lines.push(rules.strip(line));
    at = end + 1;
  }
  return { lines, length: text.length };
}
