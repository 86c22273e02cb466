// The place in a run where calls are decided. The forms are a second module, asked for when there is first a use for it.

import { type Child, h } from "../dom/dom.ts";
import type { RunEntry } from "../state/entry.ts";
import { waitingCalls } from "../state/questions.ts";
import type { RunContext } from "./context.ts";

export interface Desk {
  /** After a change of the state, or of what was sent and refused. */
  paint(): void;
  tick(now_ms: number): void;
}

export interface ApprovalModule {
  css: string;
  /** `tray` is for what is about several calls. */
  openDesk(run: RunEntry, context: RunContext, tray: HTMLElement, signal: AbortSignal): Desk;
}

export class Seat {
  #desk: Desk | null = null;
  #asked = false;
  #missing = false;

  readonly #run: RunEntry;
  readonly #context: RunContext;
  readonly #tray: HTMLElement;
  readonly #signal: AbortSignal;

  constructor(run: RunEntry, context: RunContext, tray: HTMLElement, signal: AbortSignal) {
    this.#run = run;
    this.#context = context;
    this.#tray = tray;
    this.#signal = signal;
  }

  paint(): void {
    if (this.#desk) this.#desk.paint();
    else if (this.#missing) this.#sayHow();
    else if (!this.#asked && this.#isNeeded) void this.#load();
  }

  tick(now_ms: number): void {
    this.#desk?.tick(now_ms);
  }

  get #isNeeded(): boolean {
    const { state } = this.#run;
    const edited = () => state.parts.some((part) => part.kind === "call" && part.call.decision?.edited);
    return waitingCalls(state).length > 0 || (state.rules ?? []).length > 0 || edited();
  }

  async #load(): Promise<void> {
    this.#asked = true;
    try {
      const module = (await this.#context.loadModule("approval")) as ApprovalModule;
      if (this.#signal.aborted) return;
      this.#desk = module.openDesk(this.#run, this.#context, this.#tray, this.#signal);
    } catch {
      this.#missing = true;
    }
    this.paint();
  }

  /** Whoever cannot decide here must not be left waiting. */
  #sayHow(): void {
    const waiting = new Set(waitingCalls(this.#run.state).map(({ id }) => id));
    for (const [id, { slot }] of this.#context.seats) {
      if (!waiting.has(id)) slot.replaceChildren();
      else if (!slot.firstChild)
        slot.append(
          h(
            "p",
            { class: "facts" },
            "The form for this decision did not load. Decide in Python: ",
            ...calls(id),
          ),
        );
    }
  }
}

function calls(id: string): Child[] {
  const code = (verb: string) => h("code", null, `run.${verb}(${JSON.stringify(id)})`);
  return [code("approve"), " or ", code("deny")];
}
