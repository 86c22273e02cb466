// @vitest-environment happy-dom
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Overflow } from "./overflow.ts";

const line_px = 20;
const life = new AbortController();
/** Whether the end of the box is in view of the page, as whoever looks for it is told. */
let inView = false;
let tell: (entries: { isIntersecting: boolean }[]) => void;
let looks = false;

function endIsInView(now: boolean): void {
  inView = now;
  if (looks) tell([{ isIntersecting: inView }]);
}
let told = 0;

beforeEach(() => {
  told = 0;
  inView = false;
  vi.stubGlobal(
    "IntersectionObserver",
    class {
      constructor(call: typeof tell) {
        tell = call;
        looks = false;
      }
      observe(): void {
        looks = true;
        tell([{ isIntersecting: inView }]);
      }
      unobserve(): void {
        looks = false;
      }
      disconnect(): void {}
    },
  );
});
afterEach(() => {
  vi.unstubAllGlobals();
});

/** A box of four lines, on the page. */
class Box {
  readonly control = document.createElement("textarea");
  readonly overflow: Overflow;
  high_px: number;

  constructor(lines: number, high_px = 4 * line_px) {
    this.high_px = high_px;
    const { control } = this;
    control.value = Array.from({ length: lines }, (_, i) => i).join("\n");
    Object.defineProperty(control, "clientHeight", { get: () => this.#height });
    Object.defineProperty(control, "scrollHeight", {
      get: () => Math.max(this.#height, control.value.split("\n").length * line_px),
    });
    document.body.replaceChildren(control);
    this.overflow = new Overflow(control, "rest", () => told++, life.signal);
    document.body.append(this.overflow.root);
    this.overflow.measure();
  }

  get #height(): number {
    return this.control.classList.contains("whole")
      ? this.control.value.split("\n").length * line_px
      : this.high_px;
  }

  type(text: string): void {
    this.control.value = text;
    this.overflow.measure();
  }

  scroll(lines: number): void {
    this.control.scrollTop = lines * line_px;
    this.control.dispatchEvent(new Event("scroll"));
  }

  get words(): string | null {
    return this.overflow.wordsId && (this.overflow.root.querySelector(".rest > span")?.textContent ?? "");
  }
}

describe("a value", () => {
  it("that fits its box is seen and says nothing", () => {
    const { overflow } = new Box(4);
    expect([overflow.seen, overflow.wordsId]).toEqual([true, null]);
  });

  it("that does not is unseen until its end and the end of its box are in view", () => {
    const box = new Box(121);
    expect([box.overflow.seen, box.words]).toEqual([false, "117 more lines"]);
    box.scroll(60);
    expect(box.words).toBe("57 more lines");
    box.scroll(117);
    expect(box.overflow.seen).toBe(false);
    endIsInView(true);
    expect([box.overflow.seen, box.words]).toEqual([true, null]);
    expect(told).toBeGreaterThan(1);
    box.scroll(0);
    expect([box.overflow.seen, box.words]).toEqual([true, "117 more lines"]);
  });

  it("is not seen by an end that is in view while the text is not scrolled to it", () => {
    const box = new Box(6);
    endIsInView(true);
    box.scroll(1);
    expect([box.overflow.seen, box.words]).toEqual([false, "1 more line"]);
  });

  it("that is opened in full is seen once its end is in view, and the keyboard stays with it", () => {
    const box = new Box(50);
    const all = box.overflow.root.querySelector("button")!;
    expect(all.textContent).toBe("Show all");
    all.click();
    expect(document.activeElement).toBe(box.control);
    expect([box.overflow.seen, box.words]).toEqual([false, null]);
    endIsInView(true);
    expect(box.overflow.seen).toBe(true);
  });

  it("counts only once it is laid out", () => {
    const box = new Box(50, 0);
    expect([box.overflow.seen, told]).toEqual([true, 0]);
    box.high_px = 4 * line_px;
    box.overflow.measure();
    expect([box.overflow.seen, told]).toEqual([false, 1]);
  });

  it("that was cleared and typed back is as unseen as before", () => {
    const box = new Box(50);
    const asked = box.control.value;
    endIsInView(true);
    box.type("short");
    expect(box.overflow.seen).toBe(true);
    box.type(asked);
    expect(box.overflow.seen).toBe(false);
    box.scroll(46);
    expect(box.overflow.seen).toBe(true);
  });
});
