// One argument in the form: its name, its control, what is wrong with it and what the model had asked.

import { h, setText, toggleAttribute } from "../../dom/dom.ts";
import { spelled, visibleText } from "../../parts/values.ts";
import type { Json, JsonObject } from "../../protocol.ts";
import { shortDiff } from "./diff.ts";
import { emptyWords, inexact, isExact, type Reading, read, textOf } from "./entry.ts";
import { type Field, same } from "./schema.ts";

type Control = HTMLInputElement | HTMLTextAreaElement | HTMLSelectElement;

const line_max = 72;
let ids = 0;

export class FieldRow {
  readonly field: Field;
  readonly label: HTMLElement;
  readonly cell: HTMLElement;
  readonly #control: Control;
  readonly #started: string;
  readonly #root: JsonObject;
  readonly #was: HTMLElement;
  readonly #fault: HTMLElement;
  readonly #plain: HTMLElement;
  readonly #note: HTMLElement;
  #reading: Reading;
  #frozen = false;

  constructor(field: Field, root: JsonObject, onInput: () => void, signal: AbortSignal) {
    this.field = field;
    this.#root = root;
    const id = `gs-field-${++ids}`;
    const { name, required, description, known } = field;
    this.#control = control(field, id);
    const mark = required && h("span", { class: "required", "aria-hidden": "true" }, " *");
    const title = [required && "Required", description].filter(Boolean).join(". ");
    this.label = h("label", { for: id, title: spelled(title) || null }, visibleText(name), mark);
    this.#was = h("p", { class: "was", id: `${id}-was`, hidden: true });
    this.#fault = h("p", { class: "fault", id: `${id}-fault`, hidden: true });
    this.#plain = h("p", { class: "was", id: `${id}-plain`, hidden: true });
    this.#note = h("p", { class: known ? "sr" : "was", id: `${id}-note` });
    this.#note.append(known ? spelled(description) : "not among the tool's declared arguments");
    this.#note.hidden = !this.#note.textContent;
    const tick = isCheckbox(this.#control) && h("span", { class: "tick", "aria-hidden": "true" });
    const line = tick ? h("div", { class: "check" }, this.#control, tick) : this.#control;
    this.cell = h("div", { class: "cell" }, line, this.#note, this.#fault, this.#was, this.#plain);
    this.#started = this.#text;
    this.#reading = { value: field.asked, fault: null };
    const changed = () => {
      this.update();
      onInput();
    };
    this.#control.addEventListener("input", changed, { signal });
    this.#control.addEventListener("change", changed, { signal });
    this.update();
  }

  get fault(): string | null {
    return this.#reading.fault;
  }

  get value(): Json | undefined {
    return this.#reading.value;
  }

  get edited(): boolean {
    return this.#reading.fault !== null || !same(this.#reading.value, this.field.asked);
  }

  /** `amended`: the arguments will be sent from here, so that each must be exact. */
  update(amended = false): void {
    let reading = read(this.field, this.#text, this.#started, this.#root);
    if (reading.fault === null && amended && reading.value !== undefined && !isExact(reading.value))
      reading = { value: undefined, fault: inexact };
    this.#reading = reading;
    this.#paint();
  }

  lock(locked: boolean): void {
    this.#frozen = locked;
    this.#control.disabled = locked;
  }

  /** A text area is as high as its text, once it is on the page. */
  fit(): void {
    const control = this.#control;
    if (!(control instanceof HTMLTextAreaElement) || CSS.supports("field-sizing", "content")) return;
    control.style.height = "auto";
    control.style.height = `${control.scrollHeight + 2}px`;
  }

  get #text(): string {
    return isCheckbox(this.#control) ? String(this.#control.checked) : this.#control.value;
  }

  #paint(): void {
    const { fault } = this.#reading;
    this.#fault.hidden = fault === null;
    if (fault !== null) setText(this.#fault, fault);
    this.#was.hidden = !this.edited;
    if (this.edited) this.#was.replaceChildren("model asked: ", ...this.#asked());
    const shown = visibleText(this.#text) as HTMLElement;
    const odd = shown.querySelector(".odd") !== null;
    this.#plain.hidden = !odd;
    if (odd) this.#plain.replaceChildren("with hidden characters: ", shown);
    if (isCheckbox(this.#control)) setText(this.#control.nextSibling!, this.#text);
    const notes = [this.#note, this.#fault, this.#was, this.#plain].filter((note) => !note.hidden);
    toggleAttribute(this.#control, "aria-invalid", fault === null ? null : "true");
    toggleAttribute(this.#control, "aria-describedby", notes.map(({ id }) => id).join(" ") || null);
    if (!this.#frozen) this.fit();
  }

  #asked(): Node[] {
    const { asked, kind, choices } = this.field;
    const plain = kind === "choice" || kind === "boolean" || kind === "integer" || kind === "number";
    const now = kind === "choice" ? undefined : this.#text;
    return askedPieces(asked, plain || asked === null ? undefined : now, choices.length > 0);
  }
}

/** What the model asked, with what `now` no longer has struck through; without `now` just what it asked. */
export function askedPieces(asked: Json | undefined, now: string | undefined, quoted = false): Node[] {
  if (asked === undefined) return [h("i", null, "nothing")];
  const text =
    typeof asked === "string" && !quoted ? asked : textOf({ kind: "json" } as Field, asked as Json);
  if (text === "") return [h("i", null, "empty text")];
  const pieces = shortDiff(text, now ?? text);
  return pieces.map(({ text, gone }) => (gone ? h("del", null, visibleText(text)) : visibleText(text)));
}

function control(field: Field, id: string): Control {
  const { kind, required, asked } = field;
  const text = textOf(field, asked);
  const common = { id, "aria-required": required ? "true" : null, autocomplete: "off", spellcheck: "false" };
  if (kind === "boolean" && typeof asked === "boolean")
    return h("input", { ...common, type: "checkbox", checked: asked });
  if (kind === "choice" || kind === "boolean") return select(field, common, text);
  const placeholder = spelled(emptyWords(field)) || null;
  if (kind === "json" || text.includes("\n") || text.length > line_max) {
    const area = h("textarea", { ...common, placeholder, rows: 1, wrap: "soft", dir: "ltr" });
    area.value = text;
    return area;
  }
  const inputmode = kind === "integer" ? "numeric" : kind === "number" ? "decimal" : null;
  return h("input", { ...common, type: "text", placeholder, inputmode, value: text, dir: "ltr" });
}

function select(field: Field, common: object, text: string): HTMLSelectElement {
  const { kind, choices, required, nullable, asked } = field;
  const options: [string, string][] =
    kind === "boolean"
      ? ["true", "false"].map((word) => [word, word])
      : choices.map((choice, index) => [String(index), label(choice)]);
  const mayBeEmpty = !required || nullable || asked === undefined || asked === null;
  if (mayBeEmpty) options.unshift(["", emptyWords(field) || "not set"]);
  const box = h("select", { ...common }, ...options.map(([value, word]) => h("option", { value }, word)));
  box.value = text;
  return box;
}

/** An option holds text only, so hidden characters are named in it. */
function label(choice: Json): string {
  return spelled(typeof choice === "string" ? choice : JSON.stringify(choice));
}

function isCheckbox(control: Control): control is HTMLInputElement {
  return control instanceof HTMLInputElement && control.type === "checkbox";
}
