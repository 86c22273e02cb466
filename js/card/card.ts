// One view of a model: the runs of a card, painted from the store once per frame.

import { button, h } from "../dom/dom.ts";
import { icon } from "../dom/icons.ts";
import { adoptStyles } from "../dom/styles.ts";
import type { ModuleName, Op, RunState } from "../protocol.ts";
import type { Store, StoreListener } from "../source/kernel.ts";
import type { RunEntry } from "../state/entry.ts";
import { Announcer } from "./announce.ts";
import type { CardContext } from "./context.ts";
import { keepKeys } from "./keys.ts";
import { RunView } from "./run_view.ts";
import { cardStyles } from "./sheets.ts";
import { Stick } from "./stick.ts";
import { followTheme } from "./theme.ts";

const tick_ms = 100;
/** Frames do not come to a hidden page or a detached cell; the text must still be there when the reader returns. */
const frame_max_ms = 250;
const patience_ms = 3000;

export class Card implements StoreListener {
  readonly #root = h("div", {
    class: "card",
    role: "group",
    "aria-label": "Model answer",
    tabindex: -1,
  });
  readonly #views = new Map<string, RunView>();
  readonly #dirty = new Set<RunView>();
  readonly #announcer = new Announcer();
  readonly #context: CardContext;
  readonly #shadow: ShadowRoot;
  readonly #stick: Stick;
  readonly #jump: HTMLButtonElement;
  readonly #empty = h("p", { class: "empty" }, icon("spin"), "Connecting");
  readonly #sentinel = h("div", { class: "sentinel" });
  #frame = 0;
  #frameTimer: ReturnType<typeof setTimeout> | undefined;

  readonly #store: Store;
  readonly #signal: AbortSignal;

  constructor(
    store: Store,
    el: HTMLElement,
    loadModule: (name: ModuleName) => Promise<unknown>,
    signal: AbortSignal,
  ) {
    this.#store = store;
    this.#signal = signal;
    const host = h("div", { class: "gemstream" });
    this.#shadow = host.attachShadow({ mode: "open" });
    adoptStyles(this.#shadow, cardStyles);
    this.#jump = button(
      { class: "quiet jump", hidden: true },
      () => this.#stick.jump(),
      signal,
      icon("arrowDown"),
      "Jump to latest",
    );
    this.#root.append(this.#empty, this.#sentinel, this.#announcer.polite, this.#announcer.urgent);
    this.#shadow.append(this.#root);
    el.append(host);
    this.#stick = new Stick(
      host,
      this.#sentinel,
      // Also just after the end: the last thing to come is what a Stop left to say.
      () => this.#somethingTicks,
      () => this.#paintPosition(),
      signal,
    );
    this.#context = {
      store,
      signal,
      loadModule: async (name) => {
        const module = await loadModule(name);
        adoptStyles(this.#shadow, (module as { css?: string }).css ?? "");
        return module;
      },
      stick: this.#stick,
      announce: (sentence) => this.#announcer.announce(sentence),
      alert: (sentence) => this.#announcer.alert(sentence),
      focusCard: () => this.#root.focus({ preventScroll: true }),
    };
    keepKeys(host, { escape: () => this.#stopLive() }, signal);
    followTheme(host, signal);
    for (const run of store.runs.values()) this.added(run);
    store.subscribe(this, signal);
    const ticker = setInterval(() => this.#tick(), tick_ms);
    const waiting = setTimeout(() => this.#tellEmpty(), patience_ms);
    document.addEventListener("visibilitychange", () => this.#dirty.size > 0 && this.#paint(), { signal });
    signal.addEventListener("abort", () => {
      clearInterval(ticker);
      clearTimeout(waiting);
      this.#cancelFrame();
      host.remove();
    });
  }

  added(run: RunEntry): void {
    this.#empty.remove();
    const view = new RunView(run, this.#context, this.#signal);
    this.#views.set(run.id, view);
    this.#sentinel.before(view.root);
    view.placeJump(this.#jump);
    this.#root.classList.toggle("single", this.#views.size === 1);
    this.#root.setAttribute("aria-label", `Answer of ${run.state.model}`);
  }

  ops(run: RunEntry, ops: readonly Op[]): void {
    const view = this.#views.get(run.id);
    if (!view) return;
    view.changes.note(ops);
    this.#schedule(view);
  }

  snapshot(run: RunEntry, old: RunState): void {
    const view = this.#views.get(run.id);
    if (!view) return;
    view.changes.noteSnapshot(old, run.state);
    this.#schedule(view);
  }

  /** A Stop was asked for: the button answers in the same instant. */
  link(run: RunEntry): void {
    this.#views.get(run.id)?.paint();
  }

  get #liveRun(): RunEntry | undefined {
    return [...this.#store.runs.values()].findLast((run) => !run.ended);
  }

  #stopLive(): boolean {
    const run = this.#liveRun;
    if (!run || run.stopping) return false;
    this.#store.stop(run.id);
    return true;
  }

  #schedule(view: RunView): void {
    this.#dirty.add(view);
    if (this.#frameTimer !== undefined) return;
    this.#frame = requestAnimationFrame(() => this.#paint());
    this.#frameTimer = setTimeout(() => this.#paint(), frame_max_ms);
  }

  #paint(): void {
    this.#cancelFrame();
    const views = [...this.#dirty];
    this.#dirty.clear();
    for (const view of views) view.paint();
    this.#paintPosition();
  }

  #cancelFrame(): void {
    cancelAnimationFrame(this.#frame);
    clearTimeout(this.#frameTimer);
    this.#frameTimer = undefined;
  }

  #tick(): void {
    const now_ms = performance.now();
    for (const view of this.#views.values()) if (view.ticking) view.tick(now_ms);
  }

  #paintPosition(): void {
    const wanted = this.#liveRun !== undefined && this.#stick.below && !this.#stick.following;
    if (!wanted && this.#shadow.activeElement === this.#jump) this.#context.focusCard();
    this.#jump.hidden = !wanted;
    for (const view of this.#views.values()) view.moved(this.#stick.visible);
  }

  get #somethingTicks(): boolean {
    return [...this.#views.values()].some((view) => view.ticking);
  }

  #tellEmpty(): void {
    if (this.#views.size > 0) return;
    this.#empty.replaceChildren(
      icon("info"),
      "Nothing to show: the kernel does not know this answer. Run the cell again.",
    );
  }
}
