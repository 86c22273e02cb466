// One run inside a card: its prompt, its steps, how it ended, and its bar.

import { h } from "../dom/dom.ts";
import { Once } from "../dom/once.ts";
import { outcome } from "../parts/outcome.ts";
import { PromptLine } from "../parts/prompt.ts";
import type { RunState } from "../protocol.ts";
import { isStopping, type Link } from "../source/source.ts";
import { Changes } from "../state/changes.ts";
import type { RunEntry } from "../state/entry.ts";
import { isEmptyText, isTakenBack, waitingCalls } from "../state/questions.ts";
import { count, duration } from "../words/formats.ts";
import { phase } from "../words/phase.ts";
import { Bar } from "./bar.ts";
import type { CardContext, RunContext } from "./context.ts";
import { Float } from "./float.ts";
import { Offers } from "./offers.ts";
import { Room } from "./room.ts";
import { Seat } from "./seat.ts";
import { StepView } from "./step.ts";

export class RunView {
  readonly root: HTMLElement;
  readonly changes = new Changes();
  readonly #body = h("div", { class: "body" });
  readonly #end = h("div", { class: "outcome" });
  readonly #offers: Offers;
  readonly #bar: Bar;
  readonly #prompt: PromptLine;
  readonly #seat: Seat;
  readonly #room: Room;
  readonly #context: RunContext;
  #steps: StepView[] = [];
  readonly #shownEnd = new Once();
  #caret: HTMLElement | undefined;
  readonly #float: Float;
  #building = false;
  #pinned = false;
  #life = new AbortController();

  readonly run: RunEntry;

  constructor(run: RunEntry, card: CardContext, signal: AbortSignal) {
    this.run = run;
    this.#room = new Room(this.#body, card.stick);
    this.#context = { ...card, room: this.#room, seats: new Map(), isBuilding: () => this.#building };
    const tray = h("div", { class: "tray" });
    this.#seat = new Seat(run, this.#context, tray, signal);
    this.#bar = new Bar(run, card, signal, () => this.#room.release());
    this.#offers = new Offers(run, card);
    this.#body.append(this.#end, this.#offers.root, tray);
    this.#prompt = new PromptLine(signal, run.state.attachments);
    this.root = h("section", { class: "run" }, ...this.#prompt.root, this.#body, this.#bar.root);
    this.#float = new Float(this.root, this.#bar.root, card.stick);
    // What was so before anybody looked is no news.
    this.#link.say(`phase: ${phase(run.state, isStopping(run, this.#link)).key}`);
    signal.addEventListener("abort", () => this.#life.abort());
    this.paint();
  }

  placeJump(jump: HTMLElement): void {
    this.#bar.placeJump(jump);
  }

  /** Draws what changed since the last time. */
  paint(): void {
    if (this.changes.any) {
      if (this.changes.reset || this.changes.fields.has("prompt")) this.#prompt.paint(this.run.state);
      if (this.changes.reset || !this.#paintParts()) this.#rebuild();
      this.#paintEnd();
      this.changes.clear();
      this.#body.classList.toggle(
        "bare",
        !this.#end.firstChild && !this.#steps.some((step) => step.isFilled),
      );
    }
    this.#body.setAttribute("aria-busy", String(this.#grows));
    if (this.#grows) this.#pinned = true;
    this.#paintCaret();
    this.#offers.paint();
    this.#seat.paint();
    this.#bar.paint();
    if (this.#context.source.live) this.#say();
    this.tick(performance.now());
  }

  tick(now_ms: number): void {
    this.#bar.tick(now_ms);
    this.#seat.tick(now_ms);
    if (!this.#grows) return;
    const now_s = this.#link.clock(now_ms);
    if (now_s !== null) this.#steps.at(-1)?.tick(now_s);
  }

  /** The card moved in the window. `atEnd`: its end is in view. */
  moved(atEnd: boolean): void {
    this.#float.update(this.#pinned && !this.#context.stick.following);
    // An ended run's bar stays with the reader only until they have seen it in its own place.
    if (!this.#grows && (atEnd || !this.#float.floats)) this.#unpin();
  }

  /** Something here still moves by itself, or with the page. */
  get ticking(): boolean {
    return this.#bar.ticking || this.#pinned;
  }

  get #grows(): boolean {
    return !this.run.ended && !this.#context.source.saved;
  }

  get #link(): Link {
    return this.#context.source.link(this.run.id);
  }

  #unpin(): void {
    if (!this.#pinned) return;
    this.#pinned = false;
    this.#float.update(false);
  }

  /** The mark at the end of the text stands only where text may still come. */
  #paintCaret(): void {
    const isWriting = this.#grows && this.run.state.status === "streaming";
    const writing = isWriting ? this.#steps.at(-1)?.open : undefined;
    if (writing === this.#caret) return;
    this.#caret?.classList.remove("caret");
    writing?.classList.add("caret");
    this.#caret = writing;
  }

  #paintParts(): boolean {
    const { state } = this.run;
    const indices = [...this.changes.parts.keys()].sort((a, b) => a - b);
    for (const index of indices) {
      const part = state.parts[index];
      if (!part) continue;
      const change = this.changes.parts.get(index)!;
      if (!this.#step(part.step, isEmptyText(part) ? null : part).part(part, change)) return false;
    }
    for (const index of this.changes.steps) {
      const step = state.steps[index];
      if (step) this.#step(index, null).paintNotes(step);
    }
    return true;
  }

  /** The view of a step; the one before it is closed by the first part that follows. */
  #step(index: number, by: RunState["parts"][number] | null): StepView {
    while (this.#steps.length <= index) {
      this.#steps.at(-1)?.close(by);
      const view = new StepView(this.#context, this.#life.signal, () => this.run.state);
      this.#steps.push(view);
      this.#end.before(view.root);
    }
    return this.#steps[index]!;
  }

  #rebuild(): void {
    this.#life.abort();
    this.#life = new AbortController();
    for (const step of this.#steps) step.root.remove();
    this.#context.seats.clear();
    this.#steps = [];
    this.#shownEnd.forget();
    this.#caret = undefined;
    this.#building = true;
    const { state } = this.run;
    for (const part of state.parts) {
      const view = this.#step(part.step, isEmptyText(part) ? null : part);
      view.part(part, { appended: [], whole: true });
    }
    state.steps.forEach((step, index) => {
      this.#step(index, null).paintNotes(step);
    });
    this.#building = false;
  }

  #paintEnd(): void {
    const { state } = this.run;
    if (!this.run.ended) return;
    if (!this.#shownEnd.isNew(JSON.stringify([state.status, state.error, state.notice, state.receipt])))
      return;
    this.#steps.at(-1)?.close(null);
    this.#end.replaceChildren(...outcome(state, this.#life.signal));
  }

  /** Whole sentences, only when something begins or ends, and by one view of the run. */
  #say(): void {
    const link = this.#link;
    for (const { id, name } of waitingCalls(this.run.state))
      if (link.say(`waits: ${id}`)) this.#context.alert(`${name} waits for your approval.`);
    const { key, word } = phase(this.run.state, isStopping(this.run, link));
    if (!link.say(`phase: ${key}`)) return;
    const { state } = this.run;
    if (state.status === "failed") {
      const error = state.error;
      this.#context.alert(error ? `${error.title}. ${error.message} ${error.hint}` : "The answer failed.");
    } else if (state.status === "completed" && state.stopped_by !== "calls") {
      const tokens = state.tokens === null ? "" : `, ${count(state.tokens, "token")}`;
      this.#context.announce(`Answer finished${tokens}.`);
    } else if (state.status === "cancelled" && !isTakenBack(state)) {
      this.#context.announce(`Stopped at ${duration(state.ended_s ?? 0)}.`);
    } else if (key !== "approval") {
      this.#context.announce(`${word.replace("…", "")}.`);
    }
  }
}
