// A value longer than its box: how much of it is out of view, and whether its end ever was in view.
import { button, count, h, Once, setText } from "../../core.ts";

/** Browsers round the height of a text and of its box differently. */
const slack_px = 2;
/** Less than a line, and more than the empty edge that a caret at the end leaves below it. */
const edge_px = 8;

export class Overflow {
  /** Stands right below the box. */
  readonly root: HTMLElement;
  readonly #box: HTMLTextAreaElement;
  /** `seen` or `wordsId` is something else now. */
  readonly #onChange: () => void;
  /** What the box held at first: only of this the end matters, the rest is the reader's own. */
  readonly #asked: string;
  readonly #words = h("span");
  readonly #line: HTMLElement;
  readonly #end = h("span", { class: "end", "aria-hidden": "true" });
  readonly #view: IntersectionObserver;
  #isLong = false;
  #askedSeen = false;
  #editSeen = false;
  readonly #told = new Once();

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
    const size = new ResizeObserver(measure);
    size.observe(box);
    this.#view = new IntersectionObserver((entries) => {
      if (entries.at(-1)!.isIntersecting) this.#look();
    });
    signal.addEventListener("abort", () => {
      size.disconnect();
      this.#view.disconnect();
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
    const { clientHeight, scrollHeight } = this.#box;
    if (clientHeight === 0) return;
    if (!this.#isLong && scrollHeight - clientHeight > slack_px) this.#becomeLong();
    if (!this.#isLong) return;
    // Where the end stands is asked anew each time: what was true before the box grew says nothing.
    this.#view.unobserve(this.#end);
    if (!this.seen && this.#below_px <= edge_px) this.#view.observe(this.#end);
    this.#paint();
  }

  get #below_px(): number {
    return this.#box.scrollHeight - this.#box.clientHeight - this.#box.scrollTop;
  }

  /** A text area's caret starts behind its text; the reader starts before it, and the focus must not jump to the end. */
  #becomeLong(): void {
    this.#isLong = true;
    this.#box.classList.add("long");
    this.#line.hidden = false;
    const root = this.#box.getRootNode() as ShadowRoot | Document;
    if (root.activeElement !== this.#box) this.#box.setSelectionRange(0, 0);
  }

  /** The end of the box is in view; so is the end of the text, where the box is scrolled to it. */
  #look(): void {
    if (this.#below_px > edge_px) return;
    if (this.#box.value === this.#asked) this.#askedSeen = true;
    else this.#editSeen = true;
    this.#paint();
  }

  /** The line keeps its place once it was needed, so that the buttons below stay where they are. */
  #paint(): void {
    const below_px = this.#below_px;
    const isOver = below_px <= edge_px;
    this.#line.classList.toggle("over", isOver);
    if (!isOver) {
      const line_px = Number.parseFloat(getComputedStyle(this.#box).lineHeight) || 20;
      setText(this.#words, count(Math.max(1, Math.round(below_px / line_px)), "more line"));
    }
    if (this.#told.isNew(`${this.seen} ${isOver}`)) this.#onChange();
  }

  #showAll(): void {
    this.#box.classList.add("whole");
    this.#box.focus({ preventScroll: true });
    this.measure();
  }
}
