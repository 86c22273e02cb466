// The line below an answer: what goes on, for how long, how many tokens, and Stop.
import { copyText } from "../dom/clipboard.ts";
import { button, focusNear, h, setText } from "../dom/dom.ts";
import { icon } from "../dom/icons.ts";
import { Once } from "../dom/once.ts";
import { answerMarkdown } from "../parts/answer_text.ts";
import { spelled, visibleText } from "../parts/values.ts";
import { isStopping, type Link } from "../source/source.ts";
import type { RunEntry } from "../state/entry.ts";
import { nextAttempt } from "../state/questions.ts";
import { count, duration } from "../words/formats.ts";
import { leftPhase, phase } from "../words/phase.ts";
import { attemptWords, linkTrouble, usageRows } from "../words/sentences.ts";
import type { CardContext } from "./context.ts";

/** Copy comes where Stop was, but not before a hurried second click on Stop is over. */
const swap_ms = 900;
const silent_s = 5;

export class Bar {
  readonly root: HTMLElement;
  readonly #state = h("span", { class: "state" });
  readonly #time = h("span");
  readonly #first = h("span");
  readonly #tokens = h("span");
  readonly #usage: HTMLButtonElement;
  readonly #usageList = h("dl", { class: "usage", hidden: true });
  readonly #demo = h("span", { class: "tag" }, "demo model, no key");
  readonly #quiet = h("span");
  readonly #trouble = h("span", { class: "trouble" });
  readonly #stop: HTMLButtonElement;
  readonly #copy: HTMLButtonElement;
  readonly #slot: HTMLElement;
  readonly #actions: HTMLElement;
  readonly #shownState = new Once();
  readonly #shownUsage = new Once();
  #showsStopping = false;
  #pointerOver = false;
  #swapped = false;
  #swapAt_ms = 0;

  readonly #run: RunEntry;
  readonly #context: CardContext;
  readonly #signal: AbortSignal;
  readonly #onRest: () => void;

  constructor(
    run: RunEntry,
    context: CardContext,
    signal: AbortSignal,
    /** Called when the buttons have come to rest after the end. */
    onRest: () => void,
  ) {
    this.#run = run;
    this.#context = context;
    this.#signal = signal;
    this.#onRest = onRest;
    this.#usage = button({ class: "fact", "aria-expanded": "false" }, () => this.#toggleUsage(), signal);
    this.#stop = button(
      { class: "stop" },
      () => context.source.act({ op: "stop", run: run.id }),
      signal,
      icon("stop"),
      h("span", null, "Stop"),
    );
    this.#copy = button(
      { class: "quiet copy" },
      () => void this.#copyAnswer(),
      signal,
      icon("copy"),
      h("span", null, "Copy"),
    );
    this.#slot = h("div", { class: "slot" }, this.#stop);
    this.#actions = h("div", { class: "actions" }, this.#slot);
    this.#slot.addEventListener("pointerenter", () => (this.#pointerOver = true), { signal });
    this.#slot.addEventListener("pointerleave", () => (this.#pointerOver = false), { signal });
    const facts = [
      this.#time,
      this.#first,
      this.#tokens,
      this.#usage,
      this.#demo,
      this.#quiet,
      this.#trouble,
    ];
    const line = h("div", { class: "facts-line" }, this.#state, ...facts);
    this.root = h("div", { class: "bar" }, line, this.#actions, this.#usageList);
    this.#demo.hidden = !run.state.demo;
    if (this.#rests) this.#swapNow();
    this.paint();
  }

  /** Left of Stop, so that it moves nothing when it comes and goes. */
  placeJump(jump: HTMLElement): void {
    this.#actions.prepend(jump);
  }

  /** After a change of the state, or of who listens. */
  paint(): void {
    const run = this.#run;
    const { state, ended } = run;
    const stopping = isStopping(run, this.#link);
    const { key, word, icon: name, tone } = this.#isLeft ? leftPhase(state) : phase(state, stopping);
    if (this.#shownState.isNew(key + word)) {
      this.#state.className = `state ${tone}`;
      this.#state.replaceChildren(icon(name), visibleText(word));
    }
    this.#paintStop(stopping);
    this.#setFact(
      this.#first,
      ended && state.first_text_s !== null ? `first text ${duration(state.first_text_s)}` : "",
    );
    const tokens = state.tokens === null ? "" : count(state.tokens, "token");
    const rows = ended ? usageRows(state) : [];
    this.#setFact(this.#tokens, rows.length > 0 ? "" : tokens);
    this.#setFact(this.#usage, rows.length > 0 ? tokens || "tokens" : "");
    if (rows.length > 0) this.#paintUsage(rows);
    if (!this.#rests && this.#swapped) this.#bringStop();
    else if (this.#isLeft && !this.#swapped) this.#swapNow();
    else if (ended && !this.#swapped && this.#swapAt_ms === 0) this.#retireStop();
  }

  tick(now_ms: number): void {
    const { ended, state } = this.#run;
    // A run that was taken back ended before its clock began.
    const now_s = ended ? state.ended_s || null : this.#isLeft ? null : this.#link.clock(now_ms);
    this.#setFact(this.#time, now_s === null ? "" : duration(now_s));
    this.#paintLink(now_ms, now_s);
    if (this.#swapAt_ms > 0 && !this.#swapped && now_ms >= this.#swapAt_ms && !this.#pointerOver)
      this.#swapNow();
  }

  /** Saved while it was written: nobody writes on. */
  get #isLeft(): boolean {
    return this.#context.source.saved && !this.#run.ended;
  }

  get #rests(): boolean {
    return this.#run.ended || this.#isLeft;
  }

  get #link(): Link {
    return this.#context.source.link(this.#run.id);
  }

  /** Why nothing comes: the kernel is silent, another attempt is to follow, the model takes its time. */
  #paintLink(now_ms: number, now_s: number | null): void {
    const { state, ended } = this.#run;
    const { word_ms, data_ms, stop_asked_ms } = this.#link;
    const { live, saved } = this.#context.source;
    // Of somebody who was never heard, no word is missing, but for an answer to a Stop.
    const expects = live || (!saved && stop_asked_ms !== null);
    const trouble = expects ? linkTrouble({ ended, stop_asked_ms, word_ms, now_ms }) : null;
    this.#setFact(this.#trouble, trouble ?? "");
    const silence_s = Math.floor((now_ms - data_ms) / 1000);
    const waits = live && state.status === "streaming" && !trouble && silence_s > silent_s;
    const retry = this.#isLeft ? null : nextAttempt(state);
    const words = retry
      ? attemptWords(retry, now_s ?? retry.failed_s)
      : waits && `nothing new for ${silence_s} s`;
    this.#setFact(this.#quiet, words || "");
  }

  /** Still has something to do on the clock's beat. */
  get ticking(): boolean {
    return !this.#rests || !this.#swapped;
  }

  /** Asked for, the word and the size stay: a button that changes under the pointer is a different button. */
  #paintStop(stopping: boolean): void {
    setText(this.#stop.lastChild!, this.#run.state.status === "queued" ? "Take back" : "Stop");
    if (this.#stop.classList.toggle("busy", stopping) === this.#showsStopping) return;
    this.#showsStopping = stopping;
    this.#stop.firstChild!.replaceWith(icon(stopping ? "spin" : "stop"));
  }

  #setFact(element: HTMLElement, text: string): void {
    setText(element, text);
    element.hidden = text === "";
  }

  /** The room of Stop stays, and stays empty, until nobody can mean Stop any more. */
  #retireStop(): void {
    this.#swapAt_ms = performance.now() + swap_ms;
    this.#leaveStop();
    this.#stop.disabled = true;
    this.#stop.classList.add("gone");
  }

  #swapNow(): void {
    this.#swapped = true;
    this.#leaveStop();
    const hasAnswer = answerMarkdown(this.#run.state) !== "";
    this.#slot.replaceChildren(...(hasAnswer ? [this.#copy] : []));
    this.#onRest();
  }

  /** Who is on Stop when it goes stays in the card. */
  #leaveStop(): void {
    if (focusNear(this.root) === this.#stop) this.#context.focusCard();
  }

  /** Somebody listens after all. */
  #bringStop(): void {
    this.#swapped = false;
    this.#swapAt_ms = 0;
    this.#stop.disabled = false;
    this.#stop.classList.remove("gone");
    this.#slot.replaceChildren(this.#stop);
  }

  #toggleUsage(): void {
    this.#usageList.hidden = !this.#usageList.hidden;
    this.#usage.setAttribute("aria-expanded", String(!this.#usageList.hidden));
  }

  #paintUsage(rows: [string, string][]): void {
    const model =
      this.#run.state.steps.findLast((step) => step.model_version)?.model_version ?? this.#run.state.model;
    const all: [string, string][] = [...rows, ["model", model]];
    if (!this.#shownUsage.isNew(JSON.stringify(all))) return;
    this.#usageList.replaceChildren(
      ...all.flatMap(([word, value]) => [h("dt", null, word), h("dd", null, visibleText(value))]),
    );
    this.#usage.title = spelled(all.map(([word, value]) => `${word} ${value}`).join(", "));
  }

  async #copyAnswer(): Promise<void> {
    const done = await copyText(answerMarkdown(this.#run.state), this.root);
    if (this.#signal.aborted) return;
    const label = this.#copy.lastChild!;
    setText(label, done ? "Copied" : "Not copied");
    this.#context.announce(done ? "Answer copied." : "The answer could not be copied.");
    setTimeout(() => setText(label, "Copy"), 1600);
  }
}
