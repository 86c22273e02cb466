// What every renderer inside one card shares.
import type { LoadModule } from "../markdown/stream.ts";
import type { Store } from "../store.ts";
import type { Room } from "./collapse.ts";
import type { Stick } from "./stick.ts";

export interface CardContext {
  readonly store: Store;
  readonly signal: AbortSignal;
  readonly loadModule: LoadModule;
  readonly stick: Stick;
  /** Says one sentence to a screen reader, after what it says now. */
  announce(sentence: string): void;
  /** The same, at once; for failures only. */
  alert(sentence: string): void;
  /** Where the focus goes when what had it disappears. */
  focusCard(): void;
}

/** What the blocks of one run share besides. */
export interface RunContext extends CardContext {
  readonly room: Room;
  /** The run is being drawn from its state, not followed as it happens. */
  isBuilding(): boolean;
}
