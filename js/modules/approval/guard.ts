// Keeps buttons from being hit by a click that was meant for what stood there a moment ago.
import { onGesture } from "../../core.ts";

/** Long enough to notice that something moved. */
const rest_ms = 500;
/** Movement this soon after a wheel or a finger is the reader's own scrolling. */
const own_ms = 400;
const still_px = 3;

export class Guard {
  #until_ms = 0;
  #top: number | null = null;
  #left = 0;
  #scrolled_ms = Number.NEGATIVE_INFINITY;

  readonly #anchor: Element;

  constructor(anchor: Element, signal: AbortSignal) {
    this.#anchor = anchor;
    onGesture(({ type }) => {
      if (type === "wheel" || type === "touchmove") this.#scrolled_ms = performance.now();
    }, signal);
  }

  /** The buttons are new, or what they are about is. */
  arm(now_ms = performance.now()): void {
    this.#until_ms = now_ms + rest_ms;
    this.#top = null;
  }

  /** Whether a click may count now. Called on the clock's beat and once more by the click itself. */
  rests(now_ms = performance.now()): boolean {
    const { top, left } = this.#anchor.getBoundingClientRect();
    const moved =
      this.#top !== null && Math.max(Math.abs(top - this.#top), Math.abs(left - this.#left)) > still_px;
    this.#top = top;
    this.#left = left;
    if (moved && now_ms - this.#scrolled_ms > own_ms) this.#until_ms = now_ms + rest_ms;
    return now_ms >= this.#until_ms;
  }
}
