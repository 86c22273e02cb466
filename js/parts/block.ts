// One piece of the flow on the page: a stretch of prose, a tool call, a file.
import type { Part } from "../protocol.ts";
import type { PartChange } from "../state/changes.ts";

export interface Block {
  readonly root: HTMLElement;
  /** Where running text grows, for blocks that hold any. */
  readonly prose?: HTMLElement | undefined;
  /** Takes the part that follows as one of its own. False: it belongs to the next block; most draw a single part. */
  join?(part: Part): boolean;
  /** A part of this block changed. False: what is drawn cannot become what the part is now. */
  change(part: Part, change: PartChange): boolean;
  /** Nothing more comes here; `next` is the part that follows, null when the run has ended. */
  close?(next: Part | null): void;
  /** Time passed; `now_s` is the run's clock. */
  tick?(now_s: number): void;
}

/** Blocks one below the other. */
export class Column {
  last: Block | undefined;
  readonly #owners = new Map<number, Block>();
  readonly #root: HTMLElement;
  readonly #make: (part: Part) => Block;

  constructor(root: HTMLElement, make: (part: Part) => Block) {
    this.#root = root;
    this.#make = make;
  }

  /** The block that draws a part. */
  owner(part: Part): Block | undefined {
    return this.#owners.get(part.index);
  }

  add(part: Part): void {
    let block = this.last;
    if (!block?.join?.(part)) {
      block?.close?.(part);
      block = this.#make(part);
      this.#root.append(block.root);
      this.last = block;
    }
    this.#owners.set(part.index, block);
  }
}
