// The calls of one run that wait for a decision, each with its form in its card.

import type { RunContext } from "../../card/context.ts";
import type { Desk } from "../../card/seat.ts";
import { h, isStopping, own, visibleText, waitingCalls } from "../../core.ts";
import type { CallSeat } from "../../parts/context.ts";
import type { Call } from "../../protocol.ts";
import type { Link } from "../../source/source.ts";
import type { RunEntry } from "../../state/entry.ts";
import { laidOut } from "./entry.ts";
import { askedPieces } from "./field.ts";
import { CallForm } from "./form.ts";
import { Tray } from "./tray.ts";

interface Open {
  form: CallForm;
  life: AbortController;
  seat: CallSeat | null;
}

export class RunDesk implements Desk {
  /** By call. */
  readonly #open = new Map<string, Open>();
  readonly #compared = new WeakSet<CallSeat>();
  readonly #tray: Tray;
  readonly #trayRoot: HTMLElement;
  readonly #run: RunEntry;
  readonly #context: RunContext;
  readonly #signal: AbortSignal;

  constructor(run: RunEntry, context: RunContext, tray: HTMLElement, signal: AbortSignal) {
    this.#run = run;
    this.#context = context;
    this.#signal = signal;
    this.#trayRoot = tray;
    this.#tray = new Tray(tray, (rule) => context.source.act({ op: "revoke", run: run.id, rule }), signal);
  }

  paint(): void {
    const { state } = this.#run;
    const isLive = this.#context.source.live;
    const waiting = waitingCalls(state).filter((call) => isLive && call.hash !== null);
    const ids = new Set(waiting.map(({ id }) => id));
    const gone = [...this.#open].filter(([id]) => !ids.has(id));
    const focused = this.#focused();
    const held = gone.find(([, { form }]) => form.root.contains(focused));
    const inTray = focused !== null && this.#tray.has(focused);
    if (gone.length > 0)
      this.#context.room.collapse(() => {
        for (const [id, open] of gone) this.#close(id, open);
        this.#paintTray(waiting);
      });
    for (const call of waiting) this.#place(call);
    this.#paintTray(waiting);
    for (const part of state.parts) if (part.kind === "call") this.#compare(part.call);
    this.#sayRefusals();
    if (held) this.#moveFocus(held[0]);
    else if (inTray && waiting.length < 2) this.#moveFocus(gone.at(-1)?.[0] ?? null);
  }

  tick(now_ms: number): void {
    const now_s = this.#link.clock(now_ms);
    for (const { form } of this.#open.values()) form.tick(now_ms, now_s);
    this.#tray.tick(now_ms);
  }

  get #link(): Link {
    return this.#context.source.link(this.#run.id);
  }

  #place(call: Call): void {
    const seat = this.#context.seats.get(call.id);
    if (!seat) return;
    let open = this.#open.get(call.id);
    // Another hash is another question: nothing typed for the one before may answer it.
    if (open && open.form.hash !== call.hash) {
      this.#close(call.id, open);
      open = undefined;
    }
    if (!open) {
      const life = new AbortController();
      this.#signal.addEventListener("abort", () => life.abort(), { signal: life.signal });
      const form = new CallForm(
        call,
        call.hash!,
        {
          decide: (choice) =>
            this.#context.source.act({ op: "decide", run: this.#run.id, call: call.id, ...choice }),
          changed: () => this.#paintTray(waitingCalls(this.#run.state)),
          say: (sentence) => this.#context.announce(sentence),
        },
        life.signal,
      );
      form.root.addEventListener("keyup", (event) => this.#uncover(event), { signal: life.signal });
      open = { form, life, seat: null };
      this.#open.set(call.id, open);
    }
    if (open.seat !== seat) {
      open.seat = seat;
      seat.slot.replaceChildren(open.form.root);
      seat.root.classList.add("asking");
      open.form.placed();
    }
    open.form.update(this.#link.decisions.get(call.id), isStopping(this.#run, this.#link));
  }

  #close(id: string, { form, life, seat }: Open): void {
    this.#open.delete(id);
    life.abort();
    form.root.remove();
    seat?.root.classList.remove("asking");
  }

  #paintTray(waiting: readonly Call[]): void {
    const forms = waiting.flatMap(({ id }) => this.#open.get(id)?.form ?? []);
    const { state, ended } = this.#run;
    // What was decided for a run ends with it.
    const rules = (state.rules ?? []).filter(({ scope }) => scope === "chat" || !ended);
    this.#tray.paint(forms, rules);
  }

  /** Marks in the arguments that ran what the model had asked otherwise. */
  #compare({ id, args, used_args, decision }: Call): void {
    const seat = this.#context.seats.get(id);
    if (!seat || !decision?.edited || !used_args || this.#compared.has(seat)) return;
    this.#compared.add(seat);
    for (const [key, was] of seat.was) {
      if (was.hidden) continue;
      const used = own(used_args, key);
      const text = typeof used === "string" ? used : typeof used === "object" ? laidOut(used) : undefined;
      was.replaceChildren("model asked: ", ...askedPieces(own(args, key), text));
    }
  }

  /** A refusal is said aloud once, in whichever view comes first; without a form to say it, the card does. */
  #sayRefusals(): void {
    for (const [id, { refused, sent_ms }] of this.#link.decisions) {
      if (refused === null) continue;
      const key = `refused: ${id} ${sent_ms} ${refused}`;
      if (this.#link.say(key)) this.#context.alert(refused);
      const slot = this.#context.seats.get(id)?.slot;
      if (slot && !slot.firstChild) slot.append(h("p", { class: "facts" }, visibleText(refused)));
    }
  }

  /** What the keyboard came to must not lie under the bar with Stop, which may float over the form. */
  #uncover(event: KeyboardEvent): void {
    const target = event.target as Element;
    const bar = target.closest(".run")?.querySelector(".bar.floating");
    if (event.key !== "Tab" || !bar) return;
    const { top, bottom } = target.getBoundingClientRect();
    const over = bottom + 8 - bar.getBoundingClientRect().top;
    if (over > 0 && top < bar.getBoundingClientRect().bottom) this.#context.stick.scrollBy(over);
  }

  #focused(): Element | null {
    return (this.#trayRoot.getRootNode() as ShadowRoot | Document).activeElement;
  }

  /** The focus was in a form that is gone: on to the next one, or to the call that was decided. */
  #moveFocus(decided: string | null): void {
    const next = this.#open.values().next().value;
    if (next) {
      next.form.placed();
      next.form.root.focus({ preventScroll: true });
    } else if (decided !== null) this.#context.seats.get(decided)?.root.focus({ preventScroll: true });
  }
}
