// What the drawings of one run need of the card around them.
import type { ModuleName } from "../protocol.ts";

/** Where the approval module works: it puts its form into `slot` and says in `was` what the model had asked. */
export interface CallSeat {
  readonly root: HTMLElement;
  readonly slot: HTMLElement;
  readonly was: ReadonlyMap<string, HTMLElement>;
}

/**
 * Gives a second module's exports, its style sheet adopted. The promise may stay open for as long as the card lives:
 * `onSilence` is called once when the answer takes longer than anybody waits.
 */
export type LoadModule = (name: ModuleName, hooks?: { onSilence?(): void }) => Promise<unknown>;

export interface PartContext {
  readonly loadModule: LoadModule;
  /** The calls on the page, by id. */
  readonly seats: Map<string, CallSeat>;
  /** The run is being drawn from its state, not followed as it happens. */
  isBuilding(): boolean;
  /** Makes the answer shorter without moving what the reader looks at. */
  readonly room: { collapse(change: () => void): void };
  /** Whether the reader stays with the growing end, and what they see. */
  readonly stick: { readonly stuck: boolean; isInView(element: Element): boolean };
}
