// One argument in the form: its name, its control, what is wrong with it and what the model had asked.

import { h, jsonText, same, setText, spelled, toggleAttribute, visibleText } from "../../core.ts";
import type { Json, JsonObject } from "../../protocol.ts";
import { shortDiff } from "./diff.ts";
import { emptyWords, type Reading, read, textOf } from "./entry.ts";
import { Overflow } from "./overflow.ts";
import type { Field } from "./schema.ts";

type Control = HTMLInputElement | HTMLTextAreaElement | HTMLSelectElement;

/** A chosen option is cut off where its box ends; one that may be longer stands below it in full. */
const choice_max = 32;
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
  readonly #overflow: Overflow | null;
  #reading: Reading;
  #frozen = false;

  constructor(field: Field, root: JsonObject, onInput: () => void, signal: AbortSignal) {
    this.field = field;
    this.#root = root;
    const id = `gs-field-${++ids}`;
    const { name, kind, required, description, known } = field;
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
    const measured = () => {
      this.#describe();
      onInput();
    };
    this.#overflow = isText(this.#control)
      ? new Overflow(this.#control, `${id}-rest`, measured, signal)
      : null;
    const notes = [this.#note, this.#fault, this.#was, this.#plain];
    this.cell = h("div", { class: "cell" }, line, this.#overflow?.root, ...notes);
    this.#started = this.#text;
    this.#reading = { value: field.asked, fault: null };
    const changed = () => {
      this.update();
      onInput();
    };
    this.#control.addEventListener("input", changed, { signal });
    this.#control.addEventListener("change", changed, { signal });
    if (kind !== "json")
      this.#control.addEventListener("keydown", (event) => this.#keepLine(event), { signal });
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

  update(): void {
    this.#reading = read(this.field, this.#text, this.#started, this.#root);
    this.#paint();
  }

  lock(locked: boolean): void {
    this.#frozen = locked;
    this.#control.disabled = locked;
  }

  /** The end of the value was in view. */
  get seen(): boolean {
    return this.#overflow?.seen ?? true;
  }

  /** A text area is as high as its text, once it is on the page. */
  fit(): void {
    const control = this.#control;
    if (isText(control) && !CSS.supports("field-sizing", "content")) {
      control.style.height = "auto";
      control.style.height = `${control.scrollHeight + 2}px`;
    }
    this.#overflow?.measure();
  }

  get #text(): string {
    return isCheckbox(this.#control) ? String(this.#control.checked) : this.#control.value;
  }

  /** What is one line stays one, however it wraps: Enter there is a slip of whoever expects it to do something. */
  #keepLine(event: Event): void {
    const { key, isComposing } = event as KeyboardEvent;
    const isLine = isText(this.#control) && !this.#text.includes("\n");
    if (isLine && key === "Enter" && !isComposing) event.preventDefault();
  }

  #paint(): void {
    const { fault } = this.#reading;
    this.#fault.hidden = fault === null;
    if (fault !== null) setText(this.#fault, fault);
    this.#was.hidden = !this.edited;
    if (this.edited) this.#was.replaceChildren("model asked: ", ...this.#asked());
    this.#paintPlain();
    if (isCheckbox(this.#control)) setText(this.#control.nextSibling!, this.#text);
    toggleAttribute(this.#control, "aria-invalid", fault === null ? null : "true");
    if (!this.#frozen) this.fit();
    this.#describe();
  }

  #describe(): void {
    const notes = [this.#note, this.#fault, this.#was, this.#plain].filter((note) => !note.hidden);
    const ids = [this.#overflow?.wordsId, ...notes.map(({ id }) => id)].filter(Boolean);
    toggleAttribute(this.#control, "aria-describedby", ids.join(" ") || null);
  }

  /** What the control itself cannot show: characters without a picture, the end of a long option. */
  #paintPlain(): void {
    const option =
      this.#control instanceof HTMLSelectElement && (this.#control.selectedOptions[0]?.text ?? "");
    const shown = visibleText(option || this.#text) as HTMLElement;
    const odd = !option && shown.querySelector(".odd") !== null;
    const long = option !== false && option.length > choice_max;
    this.#plain.hidden = !odd && !long;
    if (odd) this.#plain.replaceChildren("with hidden characters: ", shown);
    else if (long) this.#plain.replaceChildren(shown);
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
  const inputmode = kind === "integer" ? "numeric" : kind === "number" ? "decimal" : null;
  // Never an input of one line: it would hide the end of what does not fit into it.
  const area = h("textarea", { ...common, placeholder, inputmode, rows: 1, wrap: "soft", dir: "ltr" });
  area.value = text;
  return area;
}

function isText(control: Control): control is HTMLTextAreaElement {
  return control instanceof HTMLTextAreaElement;
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
  return spelled(typeof choice === "string" ? choice : jsonText(choice));
}

function isCheckbox(control: Control): control is HTMLInputElement {
  return control instanceof HTMLInputElement && control.type === "checkbox";
}
