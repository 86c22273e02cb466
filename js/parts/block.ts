// One piece of the flow on the page: a stretch of prose, a tool call, a file. A block may draw several parts.

import type { Part } from "../protocol.ts";
import type { PartChange } from "../state/changes.ts";

export interface Block {
  readonly root: HTMLElement;
  /** Where running text grows, for blocks that hold any. */
  readonly prose?: HTMLElement | undefined;
  /** Whether the part that follows belongs to this block. */
  accepts(part: Part): boolean;
  add(part: Part): void;
  /** A part of this block changed. False: what is drawn cannot become what the part is now. */
  change(part: Part, change: PartChange): boolean;
  /** Nothing more comes here; `next` is the part that follows, null when the run has ended. */
  close(next: Part | null): void;
  /** Time passed; `now_s` is the run's clock. */
  tick?(now_s: number): void;
}
