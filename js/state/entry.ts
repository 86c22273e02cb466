// One run as this page holds it: its state, and how far in its patches that is.
import type { Op, RunState } from "../protocol.ts";
import { PatchError } from "./exact.ts";
import { applyOps } from "./patch.ts";
import { isEnded } from "./questions.ts";

/** Patches kept while an earlier one is missing; more than this and the snapshot will bring them. */
const held_max = 64;

export class RunEntry {
  state: RunState;
  seq: number;
  readonly #held = new Map<number, readonly Op[]>();

  constructor(state: RunState, seq: number) {
    this.state = state;
    this.seq = seq;
  }

  get id(): string {
    return this.state.id;
  }

  get ended(): boolean {
    return isEnded(this.state.status);
  }

  /**
   * Takes one patch and every held one that follows it; gives the ops that were applied, in order. "gap" means that
   * something before it is missing, "misfit" that this state is no longer the kernel's.
   */
  take(seq: number, ops: readonly Op[]): readonly Op[] | "old" | "gap" | "misfit" {
    if (seq <= this.seq) return "old";
    if (seq > this.seq + 1) {
      if (this.#held.size < held_max) this.#held.set(seq, ops);
      return "gap";
    }
    const applied: Op[] = [];
    let next: readonly Op[] | undefined = ops;
    while (next) {
      try {
        applyOps(this.state, next);
      } catch (error) {
        if (error instanceof PatchError) return "misfit";
        throw error;
      }
      for (const op of next) applied.push(op);
      this.seq++;
      next = this.#held.get(this.seq + 1);
      this.#held.delete(this.seq + 1);
    }
    return applied;
  }

  /** Takes a snapshot and gives the state it replaced. */
  adopt(state: RunState, seq: number): RunState {
    const old = this.state;
    this.state = state;
    this.seq = seq;
    for (const held of this.#held.keys()) if (held <= seq) this.#held.delete(held);
    return old;
  }

  /** The patch after this one was already here when the snapshot came. */
  takeHeld(): readonly Op[] | null {
    const ops = this.#held.get(this.seq + 1);
    if (!ops) return null;
    this.#held.delete(this.seq + 1);
    const taken = this.take(this.seq + 1, ops);
    return typeof taken === "string" ? null : taken;
  }
}
