// States that somebody kept, and nobody listens: what is asked for here goes nowhere.
import type { Snapshot } from "../protocol.ts";
import { RunEntry } from "../state/entry.ts";
import { withWhole } from "../state/exact.ts";
import type { Link, Source } from "./source.ts";

const silent: Link = {
  clock: () => null,
  word_ms: 0,
  data_ms: 0,
  stop_asked_ms: null,
  decisions: new Map(),
  again: null,
  say: () => false,
};

export class SavedSource implements Source {
  readonly runs: ReadonlyMap<string, RunEntry>;
  readonly live = false;
  readonly saved = true;

  /** Takes a snapshot as it was kept; it stays as it is. */
  constructor(snapshot: Snapshot) {
    const runs = structuredClone(snapshot.runs);
    this.runs = new Map(
      runs.map(({ seq, state, whole }) => [state.id, new RunEntry(withWhole(state, whole), seq)]),
    );
  }

  get order(): readonly string[] {
    return [...this.runs.keys()];
  }

  link(): Link {
    return silent;
  }

  subscribe(): void {}

  act(): void {}
}
