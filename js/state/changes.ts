// Remembers what changed in one run since a view last painted, so that painting costs what changed and not what is there.
import type { Op, RunState } from "../protocol.ts";

export interface PartChange {
  /** Text that was appended and nothing else happened; joined only when painted. */
  appended: string[];
  /** More than an append happened: read the part itself. */
  whole: boolean;
}

export class Changes {
  reset = true;
  readonly parts = new Map<number, PartChange>();
  readonly steps = new Set<number>();
  readonly fields = new Set<string>();

  note(ops: readonly Op[]): void {
    for (const [op, path, value] of ops) {
      const [field, index, name] = path;
      if (field === "parts" && typeof index === "number") {
        const change = this.#part(index);
        if (op === "+" && name === "text" && path.length === 3) change.appended.push(value);
        else change.whole = true;
      } else if (field === "steps" && typeof index === "number") {
        this.steps.add(index);
      } else if (field === "parts" || field === "steps") {
        this.reset = true;
      } else {
        this.fields.add(String(field));
      }
    }
  }

  /** A snapshot replaced `old`: whatever grew is a change, whatever cannot have grown from `old` starts the view anew. */
  noteSnapshot(old: RunState, state: RunState): void {
    if (!grewFrom(old, state)) {
      this.reset = true;
      return;
    }
    state.parts.forEach((_, index) => {
      this.#part(index).whole = true;
    });
    state.steps.forEach((_, index) => {
      this.steps.add(index);
    });
    for (const field of Object.keys(state)) this.fields.add(field);
  }

  clear(): void {
    this.reset = false;
    this.parts.clear();
    this.steps.clear();
    this.fields.clear();
  }

  get any(): boolean {
    return this.reset || this.parts.size > 0 || this.steps.size > 0 || this.fields.size > 0;
  }

  #part(index: number): PartChange {
    let change = this.parts.get(index);
    if (!change) {
      change = { appended: [], whole: false };
      this.parts.set(index, change);
    }
    return change;
  }
}

function grewFrom(old: RunState, state: RunState): boolean {
  return old.parts.every((before, index) => {
    const now = state.parts[index];
    if (!now || now.kind !== before.kind || now.step !== before.step) return false;
    return !("text" in before) || ("text" in now && now.text.startsWith(before.text));
  });
}
