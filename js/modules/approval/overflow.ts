// A value longer than its box: how much of it is out of view, and whether its end ever was in view.
import { button, h, setText } from "../../dom/dom.ts";
import { count } from "../../words/formats.ts";

/** Browsers round the height of a text and of its box differently. */
const slack_px = 2;

export class Overflow {
  /** Stands right below the box. */
  readonly root: HTMLElement;
  readonly #box: HTMLTextAreaElement;
  /** `seen` is something else now. */
  readonly #onChange: () => void;
  /** What the box held at first: only of this the end matters, the rest is the reader's own. */
  readonly #asked: string;
  readonly #words = h("span");
  readonly #line: HTMLElement;
  readonly #end = h("span", { class: "end", "aria-hidden": "true" });
  #isLong = false;
  #endInView = false;
  #askedSeen = false;
  #editSeen = false;

  constructor(box: HTMLTextAreaElement, id: string, onChange: () => void, signal: AbortSignal) {
    this.#box = box;
    this.#asked = box.value;
    this.#onChange = onChange;
    this.#words.id = id;
    const all = button({ class: "quiet more" }, () => this.#showAll(), signal, "Show all");
    this.#line = h("div", { class: "rest", hidden: true }, this.#words, all);
    this.root = h("div", null, this.#end, this.#line);
    const measure = () => this.measure();
    box.addEventListener("scroll", measure, { passive: true, signal });
    // The first layout may come long after the form: a cell can be folded, a page hidden.
    const sized = new ResizeObserver(measure);
    sized.observe(box);
    const seen = new IntersectionObserver((entries) => {
      this.#endInView = entries.at(-1)!.isIntersecting;
      this.measure();
    });
    seen.observe(this.#end);
    signal.addEventListener("abort", () => {
      sized.disconnect();
      seen.disconnect();
    });
  }

  /** Whether the end was in view, or never was out of it. */
  get seen(): boolean {
    return !this.#isLong || this.#askedSeen || (this.#editSeen && this.#box.value !== this.#asked);
  }

  /** The id of the words that say how much is hidden, while anything is. */
  get wordsId(): string | null {
    return this.#line.hidden || this.#line.classList.contains("over") ? null : this.#words.id;
  }

  /** After a change of the text, the box or what is in view of it. */
  measure(): void {
    const { clientHeight, scrollHeight, scrollTop, value } = this.#box;
    if (clientHeight === 0) return;
    const before = this.seen;
    const below_px = scrollHeight - clientHeight - scrollTop;
    if (scrollHeight - clientHeight > slack_px) this.#isLong = true;
    if (this.#isLong && this.#endInView && below_px <= slack_px) {
      if (value === this.#asked) this.#askedSeen = true;
      else this.#editSeen = true;
    }
    this.#paint(below_px);
    if (this.seen !== before) this.#onChange();
  }

  /** The line keeps its place once it was needed, so that the buttons below stay where they are. */
  #paint(below_px: number): void {
    if (this.#isLong) this.#line.hidden = false;
    const rest = below_px > slack_px;
    this.#line.classList.toggle("over", !rest);
    if (!rest) return;
    const line_px = Number.parseFloat(getComputedStyle(this.#box).lineHeight) || 20;
    setText(this.#words, count(Math.max(1, Math.round(below_px / line_px)), "more line"));
  }

  #showAll(): void {
    this.#box.classList.add("whole");
    this.#box.focus({ preventScroll: true });
    this.measure();
  }
}
