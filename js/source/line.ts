// One run, and what was said about it between this page and whoever runs it.
import type { RunStatus } from "../protocol.ts";
import { Clock } from "../state/clock.ts";
import type { RunEntry } from "../state/entry.ts";
import { isEnded } from "../state/questions.ts";
import type { Link, SentDecision } from "./source.ts";

export class Line implements Link {
  readonly run: RunEntry;
  word_ms: number;
  data_ms: number;
  stop_asked_ms: number | null = null;
  again: Link["again"] = null;
  readonly decisions = new Map<string, SentDecision>();
  readonly time = new Clock();
  /** The kernel named a lower seq than ours, so the next snapshot may go back. */
  mayRewind = false;
  readonly #said = new Set<string>();

  constructor(run: RunEntry, now_ms: number) {
    this.run = run;
    this.word_ms = now_ms;
    this.data_ms = now_ms;
  }

  /** The kernel's word of the run's time; none is worth keeping while that stands still. */
  tell(status: RunStatus, at_s: number, now_ms: number): void {
    if (status !== "queued" && !isEnded(status)) this.time.sync(at_s, now_ms);
  }

  clock(now_ms: number): number | null {
    return this.time.read(now_ms);
  }

  say(what: string): boolean {
    const isNew = !this.#said.has(what);
    this.#said.add(what);
    return isNew;
  }
}
