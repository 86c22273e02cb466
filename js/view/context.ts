// What every renderer inside one card shares.
import type { ModuleName } from "../protocol.ts";
import type { Store } from "../store.ts";
import type { Room } from "./collapse.ts";
import type { Stick } from "./stick.ts";

/** Gives a module's exports, or null where there is no kernel to bring it. */
export type LoadModule = (name: ModuleName) => Promise<unknown>;

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
  isLive(): boolean;
}
