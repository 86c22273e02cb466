// One run as this page knows it: its state, how far it got, and when the kernel last spoke of it.

import type { Op, RunState } from "../protocol.ts";
import { Clock } from "./clock.ts";
import { applyOps, PatchError } from "./patch.ts";
import { isEnded } from "./questions.ts";

/** Patches kept while an earlier one is missing; more than this and the snapshot will bring them. */
const held_max = 64;

/** A decision this page sent, or one that the kernel refused. */
export interface SentDecision {
  hash: string | null;
  verdict: "approve" | "deny" | null;
  sent_ms: number;
  /** Why it changed nothing; null: no answer yet. */
  refused: string | null;
}

export class RunEntry {
  state: RunState;
  seq: number;
  readonly clock = new Clock();
  /** When this page asked for a Stop, in performance.now() milliseconds. */
  stop_asked_ms: number | null = null;
  /** By call, so that every view of the run shows the same. */
  readonly decisions = new Map<string, SentDecision>();
  /** This page asked to go on after the run; `refused` is why that cannot be. */
  again: { refused: string | null } | null = null;
  /** Calls whose waiting was said aloud, by whichever view came first. */
  readonly alerted = new Set<string>();
  /** The last message of any kind about this run, and the last one that brought something new. */
  word_ms: number;
  data_ms: number;
  /** The kernel named a lower seq than ours, so the next snapshot may go back. */
  may_rewind = false;
  readonly #held = new Map<number, readonly Op[]>();

  constructor(state: RunState, seq: number, now_ms: number) {
    this.state = state;
    this.seq = seq;
    this.word_ms = now_ms;
    this.data_ms = now_ms;
  }

  get id(): string {
    return this.state.id;
  }

  get ended(): boolean {
    return isEnded(this.state.status);
  }

  /** A Stop was asked for here and the run has not ended. */
  get stopping(): boolean {
    return !this.ended && (this.stop_asked_ms !== null || this.state.status === "cancelling");
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
        this.state = applyOps(this.state, next);
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

  /** Takes a snapshot unless it is older than what is here. Gives the state it replaced, or null. */
  adopt(state: RunState, seq: number): RunState | null {
    if (seq < this.seq && !this.may_rewind) return null;
    const old = this.state;
    this.state = state;
    this.seq = seq;
    this.may_rewind = false;
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
