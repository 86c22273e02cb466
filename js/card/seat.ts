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

export class Seat {
  #desk: Desk | null = null;
  #asked = false;
  /** Nothing came for so long that a reader has to know another way. */
  #isLate = false;
  /** By call. */
  readonly #hints = new Map<string, HTMLElement>();

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
    else if (this.#isNeeded && !this.#asked) void this.#load();
    this.#paintHints();
  }

  tick(now_ms: number): void {
    this.#desk?.tick(now_ms);
  }

  /** What nobody listens to cannot be decided; what was decided, and edited, is shown wherever it is. */
  get #isNeeded(): boolean {
    const { state } = this.#run;
    const edited = () => state.parts.some((part) => part.kind === "call" && part.call.decision?.edited);
    return this.#waiting.length > 0 || (state.rules ?? []).length > 0 || edited();
  }

  get #waiting(): string[] {
    return this.#context.source.live ? waitingCalls(this.#run.state).map(({ id }) => id) : [];
  }

  async #load(): Promise<void> {
    this.#asked = true;
    const onSilence = () => {
      this.#isLate = true;
      this.#paintHints();
    };
    try {
      const module = await this.#context.loadModule("approval", { onSilence });
      if (this.#signal.aborted) return;
      this.#isLate = false;
      this.#paintHints();
      this.#desk = module.openDesk(this.#run, this.#context, this.#tray, this.#signal);
    } catch {
      this.#isLate = true;
    }
    this.paint();
  }

  /** Whoever cannot decide here must not be left waiting; a form that comes after all takes the place of the words. */
  #paintHints(): void {
    const waiting = this.#isLate ? this.#waiting : [];
    for (const [id, hint] of this.#hints) {
      if (waiting.includes(id) && hint.isConnected) continue;
      hint.remove();
      this.#hints.delete(id);
    }
    for (const id of waiting) {
      const slot = this.#context.seats.get(id)?.slot;
      if (!slot || this.#hints.has(id)) continue;
      const words = "The form for this decision has not come. Decide in Python: ";
      const hint = h("p", { class: "facts" }, words, ...calls(id));
      slot.append(hint);
      this.#hints.set(id, hint);
    }
  }
}

function calls(id: string): Child[] {
  const code = (verb: string) => h("code", null, `run.${verb}(${JSON.stringify(id)})`);
  return [code("approve"), " or ", code("deny")];
}
