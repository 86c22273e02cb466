// One frame for the whole page: all cards and all growing text draw in it, one after the other, with one deadline.
import { pageWide, report } from "./page.ts";

/** Milliseconds of a frame that drawing may take; the rest is the browser's and the notebook's. */
const budget_ms = 8;
/** Frames do not come to a hidden page or a detached cell; the text must still be there when the reader returns. */
const frame_max_ms = 250;

/** Draws until `deadline_ms`, a time of `performance.now()`, and says whether there is more to do. */
export type Work = (deadline_ms: number) => boolean;

class Frame {
  /** In order: who was not reached in one frame is the first in the next. */
  readonly #waiting = new Map<Work, AbortSignal>();
  #request = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  add(work: Work, signal: AbortSignal): void {
    this.#waiting.set(work, signal);
    this.#arm();
  }

  #arm(): void {
    if (this.#timer !== undefined) return;
    this.#request = requestAnimationFrame(() => this.#run());
    this.#timer = setTimeout(() => this.#run(), frame_max_ms);
  }

  #run(): void {
    cancelAnimationFrame(this.#request);
    clearTimeout(this.#timer);
    const deadline_ms = performance.now() + budget_ms;
    const drawn = new Set<Work>();
    // Work that is added while others draw still has its turn in this frame, but nobody has two.
    for (const [work, signal] of this.#waiting) {
      if (drawn.has(work)) continue;
      drawn.add(work);
      this.#waiting.delete(work);
      if (!signal.aborted && draw(work, deadline_ms)) this.#waiting.set(work, signal);
      if (performance.now() >= deadline_ms) break;
    }
    this.#timer = undefined;
    if (this.#waiting.size > 0) this.#arm();
  }
}

function draw(work: Work, deadline_ms: number): boolean {
  try {
    return work(deadline_ms);
  } catch (error) {
    report(error);
    return false;
  }
}

/**
 * Calls `work` once in the next frame, or in this one where a frame is being drawn; again in the one after it for as
 * long as there is more to do. The same function waits once, however often it is given. Nothing is called after the
 * signal.
 */
export function onFrame(work: Work, signal: AbortSignal): void {
  pageWide("frame/1", () => new Frame()).add(work, signal);
}
