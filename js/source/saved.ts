// States that somebody kept, and nobody listens: what is asked for here goes nowhere.
import type { Snapshot } from "../protocol.ts";
import { RunEntry } from "../state/entry.ts";
import { withWhole } from "../state/exact.ts";
import { Line } from "./line.ts";
import type { Link, Source } from "./source.ts";

export class SavedSource implements Source {
  readonly runs = new Map<string, RunEntry>();
  readonly live = false;
  readonly saved = true;

  /** Takes a snapshot as it was kept; it stays as it is. */
  constructor(snapshot: Snapshot) {
    for (const { seq, state, whole } of structuredClone(snapshot.runs))
      this.runs.set(state.id, new RunEntry(withWhole(state, whole), seq));
  }

  get order(): readonly string[] {
    return [...this.runs.keys()];
  }

  link(run: string): Link {
    return new Line(this.runs.get(run)!, 0);
  }

  subscribe(): void {}

  act(): void {}
}
