// Keeps the bar of a growing answer, and with it Stop, at the lower edge of the window while its own place is below it.
//
// position: sticky would do this, but JupyterLab puts boxes with overflow around every output, and sticky listens to
// the nearest one. A fixed box is clipped by none of them.
import type { Stick } from "./stick.ts";

export class Float {
  #floating = false;

  readonly #run: HTMLElement;
  readonly #bar: HTMLElement;
  readonly #stick: Stick;

  constructor(run: HTMLElement, bar: HTMLElement, stick: Stick) {
    this.#run = run;
    this.#bar = bar;
    this.#stick = stick;
  }

  get floats(): boolean {
    return this.#floating;
  }

  /** Puts the bar where it belongs now; `wanted` says whether anybody may need it out of its place. */
  update(wanted: boolean): void {
    const view = wanted ? this.#stick.view() : null;
    if (view === null || !this.#isNeeded(view)) {
      if (this.#floating) this.#land();
      return;
    }
    if (!this.#floating) this.#rise();
    this.#place(view.bottom);
  }

  #isNeeded(view: { top: number; bottom: number }): boolean {
    const { top, bottom } = this.#run.getBoundingClientRect();
    const high = this.#bar.offsetHeight;
    return bottom > view.bottom + 1 && top < view.bottom - 2 * high && bottom > view.top;
  }

  #rise(): void {
    this.#floating = true;
    this.#run.style.paddingBottom = `${this.#bar.offsetHeight}px`;
    this.#bar.classList.add("floating");
  }

  #land(): void {
    this.#floating = false;
    this.#run.style.paddingBottom = "";
    this.#bar.classList.remove("floating");
    this.#bar.removeAttribute("style");
  }

  /** Measures and corrects: which box a fixed one is placed in differs from host to host. */
  #place(bottom: number): void {
    const { style } = this.#bar;
    const run = this.#run.getBoundingClientRect();
    style.width = `${run.width}px`;
    const now = this.#bar.getBoundingClientRect();
    const right = run.left - now.left;
    const down = bottom - now.bottom;
    if (Math.abs(right) > 0.5) style.left = `${(Number.parseFloat(style.left) || 0) + right}px`;
    if (Math.abs(down) > 0.5) style.top = `${(Number.parseFloat(style.top) || 0) + down}px`;
  }
}
