// One view of a source: the runs of a card, painted once per frame.
import type { Load } from "../contract.ts";
import { onBeat } from "../dom/beat.ts";
import { button, h } from "../dom/dom.ts";
import { onFrame } from "../dom/frame.ts";
import { icon } from "../dom/icons.ts";
import { attempt } from "../dom/page.ts";
import { adoptStyles } from "../dom/styles.ts";
import type { Op, RunState } from "../protocol.ts";
import { isStopping, type Listener, type Source } from "../source/source.ts";
import type { RunEntry } from "../state/entry.ts";
import { Announcer } from "./announce.ts";
import type { CardContext } from "./context.ts";
import { keepKeys } from "./keys.ts";
import { RunView } from "./run_view.ts";
import { cardStyles } from "./sheets.ts";
import { Stick } from "./stick.ts";
import { followTheme } from "./theme.ts";

const patience_ms = 3000;

export class Card implements Listener {
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
  /** Ends when nothing ticks or grows any more: a finished card costs the page nothing. */
  #awake: AbortController | null = null;

  #patience: ReturnType<typeof setTimeout> | undefined;

  readonly #source: Source;
  readonly #signal: AbortSignal;

  constructor(source: Source, el: HTMLElement, loadModule: Load, signal: AbortSignal) {
    this.#source = source;
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
    this.#stick = new Stick(host, this.#sentinel, () => this.#paintPosition());
    this.#context = {
      source,
      signal,
      loadModule: async (name, hooks) => {
        const module = await loadModule(name, hooks);
        adoptStyles(this.#shadow, module.css);
        return module;
      },
      stick: this.#stick,
      announce: (sentence) => this.#announcer.announce(sentence),
      alert: (sentence) => this.#announcer.alert(sentence),
      focusCard: () => this.#root.focus({ preventScroll: true }),
    };
    keepKeys(host, { escape: () => this.#stopLive() }, signal);
    followTheme(host, signal);
    for (const id of source.order) attempt(() => this.added(source.runs.get(id)!));
    source.subscribe(this, signal);
    if (this.#views.size === 0) this.#patience = setTimeout(() => this.#tellEmpty(), patience_ms);
    signal.addEventListener("abort", () => {
      clearTimeout(this.#patience);
      this.#awake?.abort();
      host.remove();
    });
  }

  added(run: RunEntry): void {
    this.#empty.remove();
    clearTimeout(this.#patience);
    const view = new RunView(run, this.#context, this.#signal);
    this.#views.set(run.id, view);
    this.#sentinel.before(view.root);
    view.placeJump(this.#jump);
    this.#root.classList.toggle("single", this.#views.size === 1);
    this.#root.setAttribute("aria-label", `Answer of ${run.state.model}`);
    this.#wake();
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
    this.#wake();
  }

  live(): void {
    for (const view of this.#views.values()) attempt(() => view.paint());
    this.#wake();
  }

  /** The last run that goes on, as far as anybody knows. */
  get #liveRun(): RunEntry | undefined {
    const { runs, order, saved } = this.#source;
    const last = order.findLast((id) => !runs.get(id)!.ended);
    return saved || last === undefined ? undefined : runs.get(last);
  }

  #stopLive(): boolean {
    const run = this.#liveRun;
    if (!run || isStopping(run, this.#source.link(run.id))) return false;
    this.#source.act({ op: "stop", run: run.id });
    return true;
  }

  #schedule(view: RunView): void {
    this.#dirty.add(view);
    onFrame(this.#paint, this.#signal);
  }

  /** One view that fails must not keep the others from being drawn. */
  readonly #paint = (deadline_ms: number): boolean => {
    for (const view of this.#dirty) {
      this.#dirty.delete(view);
      attempt(() => view.paint());
      if (performance.now() >= deadline_ms) break;
    }
    this.#wake();
    this.#paintPosition();
    return this.#dirty.size > 0;
  };

  #wake(): void {
    if (this.#awake || this.#signal.aborted || !this.#isTicking) return;
    this.#awake = new AbortController();
    onBeat((now_ms) => this.#tick(now_ms), this.#awake.signal);
    this.#stick.watch(this.#awake.signal);
  }

  #tick(now_ms: number): void {
    for (const view of this.#views.values()) if (view.ticking) attempt(() => view.tick(now_ms));
    if (this.#isTicking) return;
    this.#awake?.abort();
    this.#awake = null;
  }

  get #isTicking(): boolean {
    return [...this.#views.values()].some((view) => view.ticking);
  }

  #paintPosition(): void {
    const wanted = this.#liveRun !== undefined && this.#stick.below && !this.#stick.following;
    if (!wanted && this.#shadow.activeElement === this.#jump) this.#context.focusCard();
    this.#jump.hidden = !wanted;
    for (const view of this.#views.values()) view.moved(this.#stick.visible);
  }

  #tellEmpty(): void {
    this.#empty.replaceChildren(
      icon("info"),
      "Nothing to show: the kernel does not know this answer. Run the cell again.",
    );
  }
}
