// JSON values for reading: strings as text, the rest as JSON, with nothing invisible left in them.

import { button, h } from "../dom/dom.ts";
import { Once } from "../dom/once.ts";
import type { Json } from "../protocol.ts";
import { jsonText } from "../state/exact.ts";
import { count } from "../words/formats.ts";

/** Characters and lines shown before "Show all"; what is wide has room for more. */
const clip_chars = 600;
const clip_chars_wide = 4000;
const clip_lines = 16;
const depth_max = 64;

// Emoji sequences keep their joiners; every other character that draws nothing or turns the text around is named.
const hidden =
  /(\p{Extended_Pictographic}\ufe0f?(?:\u200d\p{Extended_Pictographic}\ufe0f?)+|\p{Emoji}\ufe0f)|(\p{DI}|\p{Cf}|\p{Cs}|\p{Zl}|\p{Zp}|(?![\t\n\r])\p{Cc})/gu;

/** `text` with invisible and direction-changing characters spelled out. */
export function visibleText(text: string): Node {
  const out = h("bdi");
  let from = 0;
  for (const match of text.matchAll(hidden)) {
    const odd = match[2];
    if (odd === undefined) continue;
    const code = odd.codePointAt(0)!.toString(16).toUpperCase().padStart(4, "0");
    out.append(
      text.slice(from, match.index),
      h("span", { class: "odd", title: "A character you cannot see" }, `U+${code}`),
    );
    from = match.index + odd.length;
  }
  out.append(text.slice(from));
  return out;
}

export function shorten(text: string, limit: number): string {
  return text.length > limit ? `${text.slice(0, limit)}…` : text;
}

/** The same for where only a string can stand: a tooltip, a file's name. */
export function spelled(text: string): string {
  return visibleText(text).textContent ?? "";
}

/** One value, clipped until the reader asks for all of it; `update` lets it grow in place. */
export class ValueView {
  readonly root = h("div", { class: "value" });
  #value: Json = null;
  #all = false;
  readonly #shown = new Once();

  /** `wide`: lines are not wrapped but scrolled, as a program printed them. */
  readonly #signal: AbortSignal;
  readonly #wide: boolean;

  constructor(signal: AbortSignal, wide = false) {
    this.#signal = signal;
    this.#wide = wide;
  }

  update(value: Json): void {
    this.#value = value;
    const isText = typeof value === "string";
    const limit = this.#all ? Number.POSITIVE_INFINITY : this.#wide ? clip_chars_wide : clip_chars;
    const full = isText ? value : jsonText(value, 2, limit + 1, depth_max);
    const text = this.#all ? full : clip(full, limit);
    const clipped = text.length < full.length;
    const key = `${typeof value}:${clipped ? full.length : ""}:${text}`;
    if (!this.#shown.isNew(key)) return;
    const kind = this.#wide ? "is-wide" : valueKind(value);
    const body = h("div", { class: `value-text ${kind}` }, visibleText(clipped ? `${text}…` : text));
    if (this.#wide) body.tabIndex = 0;
    this.root.replaceChildren(body);
    if (clipped)
      this.root.append(this.#more(isText ? `Show all, ${count(value.length, "character")}` : "Show all"));
  }

  /** There is no value, and this is what is said instead. */
  none(words: string): void {
    this.#shown.forget();
    this.root.replaceChildren(words);
  }

  #more(label: string): HTMLButtonElement {
    const show = () => {
      this.#all = true;
      this.update(this.#value);
      this.root.tabIndex = -1;
      this.root.focus({ preventScroll: true });
    };
    return button({ class: "quiet more" }, show, this.#signal, label);
  }
}

function valueKind(value: Json): string {
  if (typeof value === "string") return "is-text";
  if (typeof value === "object" && value !== null) return "is-nested";
  return "is-plain";
}

function clip(text: string, limit: number): string {
  let end = Math.min(text.length, limit);
  for (let i = 0, lines = 0; i < end; i++) {
    if (text.charCodeAt(i) !== 10 || ++lines < clip_lines) continue;
    end = i;
  }
  // Not between the two halves of one character.
  if (end < text.length && /[\ud800-\udbff]/.test(text[end - 1] ?? "")) end--;
  return text.slice(0, end);
}
