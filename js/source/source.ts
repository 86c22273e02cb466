// Where the runs of a card come from, and where what its readers ask for goes. A card knows nothing else of a kernel.
import type { Op, PageMessage, RunState } from "../protocol.ts";
import type { RunEntry } from "../state/entry.ts";

/** What a reader may ask for. */
export type Action = Extract<PageMessage, { op: "stop" | "decide" | "revoke" | "again" }>;

/** A decision this page sent, or one that the kernel refused. */
export interface SentDecision {
  hash: string | null;
  verdict: "approve" | "deny" | null;
  sent_ms: number;
  /** Why it changed nothing; null: no answer yet. */
  refused: string | null;
}

/** The conversation about one run, the same for all its views. Times are those of `performance.now()`. */
export interface Link {
  /** Seconds since the run's start; null before anybody told any time. */
  clock(now_ms: number): number | null;
  /** The last message of any kind, and the last one that brought something new. */
  readonly word_ms: number;
  readonly data_ms: number;
  /** When this page asked for a Stop. */
  readonly stop_asked_ms: number | null;
  /** By call. */
  readonly decisions: ReadonlyMap<string, SentDecision>;
  /** This page asked to go on after the run; `refused` is why that cannot be. */
  readonly again: { readonly refused: string | null } | null;
  /** Marks what was said aloud, for the view that comes first. False: another one said it already. */
  say(what: string): boolean;
}

export interface Listener {
  added(run: RunEntry): void;
  /** Patches were applied. */
  ops(run: RunEntry, ops: readonly Op[]): void;
  /** A snapshot replaced `old`. */
  snapshot(run: RunEntry, old: RunState): void;
  /** Something in the run's link changed: a Stop was asked for, a decision sent or refused. */
  link(run: RunEntry): void;
  /** `live` or `saved` changed. */
  live(): void;
}

export interface Source {
  readonly runs: ReadonlyMap<string, RunEntry>;
  /** The runs that are shown, from the top. */
  readonly order: readonly string[];
  /** Somebody was heard and listens: what is asked for here happens, and what happens is news. */
  readonly live: boolean;
  /** Nobody listens: what is shown is what was kept. Neither, until one of both is known. */
  readonly saved: boolean;
  link(run: string): Link;
  subscribe(listener: Listener, signal: AbortSignal): void;
  act(action: Action): void;
}

/** A Stop was asked for here or elsewhere, and the run has not ended. */
export function isStopping(run: RunEntry, link: Link): boolean {
  return !run.ended && (link.stop_asked_ms !== null || run.state.status === "cancelling");
}
