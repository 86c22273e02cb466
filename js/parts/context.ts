// What the drawings of one run need of the card around them.
import type { Load } from "../contract.ts";

/** Where the approval module works: it puts its form into `slot` and says in `was` what the model had asked. */
export interface CallSeat {
  readonly root: HTMLElement;
  readonly slot: HTMLElement;
  readonly was: ReadonlyMap<string, HTMLElement>;
}

export interface PartContext {
  /** Gives a module, its style sheet adopted. */
  readonly loadModule: Load;
  /** The calls on the page, by id. */
  readonly seats: Map<string, CallSeat>;
  /** The run is being drawn from its state, not followed as it happens. */
  isBuilding(): boolean;
  /** Makes the answer shorter without moving what the reader looks at. */
  readonly room: { collapse(change: () => void): void };
  /** Whether the reader stays with the growing end, and what they see. */
  readonly stick: { readonly stuck: boolean; isInView(element: Element): boolean };
}
