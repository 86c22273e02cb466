// Makes a part of a growing answer shorter without moving what the reader looks at, nor the buttons below it.
import type { Stick } from "./stick.ts";

export class Room {
  #held = false;

  readonly #body: HTMLElement;
  readonly #stick: Stick;

  constructor(body: HTMLElement, stick: Stick) {
    this.#body = body;
    this.#stick = stick;
  }

  /**
   * Runs `change`, which shortens the body. What is scrolled out above comes back into view instead of everything
   * moving up; the rest stays as empty room for the answer to fill.
   */
  collapse(change: () => void): void {
    const before = this.#body.offsetHeight;
    if (before === 0) {
      change();
      return;
    }
    const end = this.#stick.endAt();
    this.#body.style.minHeight = `${before}px`;
    change();
    const shrunk = before - this.#natural();
    const back = Math.min(Math.max(0, shrunk), this.#stick.hiddenAbove());
    this.#body.style.minHeight = `${before - back}px`;
    this.#held = true;
    this.#stick.scrollBy(this.#stick.endAt() - end);
  }

  /** The answer is complete: give back what it did not fill. */
  release(): void {
    if (!this.#held) return;
    this.#held = false;
    const natural = this.#natural();
    if (natural >= this.#body.offsetHeight - 1 || matchMedia("(prefers-reduced-motion: reduce)").matches) {
      this.#body.style.minHeight = "";
      return;
    }
    this.#body.style.transition = "min-height 160ms ease-out";
    this.#body.style.minHeight = `${natural}px`;
    const done = () => {
      this.#body.style.transition = "";
      this.#body.style.minHeight = "";
    };
    this.#body.addEventListener("transitionend", done, { once: true });
  }

  #natural(): number {
    const last = this.#body.lastElementChild;
    const { paddingBottom } = getComputedStyle(this.#body);
    if (!last) return 0;
    const bottom = last.getBoundingClientRect().bottom;
    return Math.ceil(bottom - this.#body.getBoundingClientRect().top + Number.parseFloat(paddingBottom));
  }
}
