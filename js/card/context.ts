// What every renderer inside one card shares.
import type { PartContext } from "../parts/context.ts";
import type { Source } from "../source/source.ts";
import type { Room } from "./room.ts";
import type { Stick } from "./stick.ts";

export interface CardContext extends Pick<PartContext, "loadModule"> {
  readonly source: Source;
  readonly signal: AbortSignal;
  readonly stick: Stick;
  /** Says one sentence to a screen reader, after what it says now. */
  announce(sentence: string): void;
  /** The same, at once; for failures only. */
  alert(sentence: string): void;
  /** Where the focus goes when what had it disappears. */
  focusCard(): void;
}

/** What the blocks of one run share besides. */
export interface RunContext extends CardContext, PartContext {
  readonly room: Room;
  readonly stick: Stick;
}
