// A run's own clock, read on this page. Kernel and page clocks are never compared: each at_s that arrives fixes the offset.

/** Older samples win unless they are this far off, as after a sleeping laptop. */
const drift_s = 2;

export class Clock {
  #offset_s: number | null = null;

  /** `at_s` was the run's time when the kernel sent it; the least delayed sample gives the largest offset. */
  sync(at_s: number, now_ms: number): void {
    const offset = at_s - now_ms / 1000;
    if (this.#offset_s === null || offset > this.#offset_s || this.#offset_s - offset > drift_s)
      this.#offset_s = offset;
  }

  /** Seconds since the run's start, or null before the kernel told any time. */
  read(now_ms: number): number | null {
    return this.#offset_s === null ? null : Math.max(0, this.#offset_s + now_ms / 1000);
  }
}
