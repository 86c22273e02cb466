// Keeps the growing end of a card in view for a reader who is there, and leaves every other reader alone.
import { drawnParent, selectionIn } from "../dom/dom.ts";
import { onGesture } from "../dom/gestures.ts";

const margin_px = 8;
const flood_ms = 200;
const upKeys: ReadonlySet<string> = new Set(["PageUp", "ArrowUp", "Home"]);

export class Stick {
  /** The end of the card is in view and the reader wants to stay with it. */
  stuck = false;
  /** The end is below what is in view. */
  below = false;
  /** The end is in view. */
  visible = false;
  #scroller: Element | null = null;
  #followed_ms = 0;
  #later: ReturnType<typeof setTimeout> | undefined;
  #top = 0;
  #height = 0;

  readonly #host: HTMLElement;
  readonly #sentinel: HTMLElement;
  readonly #onChange: () => void;
  #mayGrow = false;

  constructor(host: HTMLElement, sentinel: HTMLElement, onChange: () => void) {
    this.#host = host;
    this.#sentinel = sentinel;
    this.#onChange = onChange;
  }

  /** From here to the signal's end the card may grow. Before and after, nothing is listened to. */
  watch(signal: AbortSignal): void {
    this.#mayGrow = true;
    const seen = new IntersectionObserver((entries) => this.#seen(entries.at(-1)!), {
      rootMargin: `0px 0px ${margin_px}px`,
    });
    seen.observe(this.#sentinel);
    // After layout and before paint: the only moment where the new height costs nothing to read.
    const grown = new ResizeObserver(() => {
      this.#follow();
      this.#onChange();
    });
    grown.observe(this.#host);
    onGesture((event) => this.#gesture(event), signal);
    signal.addEventListener("abort", () => {
      this.#mayGrow = false;
      // What nobody listens to any more is not known any more.
      this.stuck = this.below = this.visible = false;
      seen.disconnect();
      grown.disconnect();
      clearTimeout(this.#later);
      this.#later = undefined;
    });
  }

  /** To the end, and stay there. */
  jump(): void {
    this.stuck = true;
    this.#follow();
    this.#onChange();
  }

  /** Stuck, and neither selecting text here nor typing elsewhere. */
  get following(): boolean {
    return this.stuck && !this.#isReading();
  }

  /** How much of the card is scrolled out above, and the means to scroll back by it. */
  hiddenAbove(): number {
    const view = this.view();
    return view ? Math.max(0, view.top - this.#host.getBoundingClientRect().top) : 0;
  }

  scrollBy(distance: number): void {
    const scroller = this.#findScroller();
    if (!scroller || distance === 0) return;
    scroller.scrollTop += distance;
    this.#remember(scroller);
  }

  /** Where the end of the card is on the screen. */
  endAt(): number {
    return this.#sentinel.getBoundingClientRect().bottom;
  }

  /** Upper and lower edge of what the reader sees of the notebook; null where nothing scrolls. */
  view(): { top: number; bottom: number } | null {
    const scroller = this.#findScroller();
    return scroller && viewOf(scroller);
  }

  /** Whether any of `element` is in view. */
  isInView(element: Element): boolean {
    const view = this.view();
    if (!view) return true;
    const { top, bottom } = element.getBoundingClientRect();
    return bottom > view.top && top < view.bottom;
  }

  #follow(): void {
    if (!this.following || !this.#mayGrow) return;
    const scroller = this.#findScroller();
    if (!scroller) return;
    const view = viewOf(scroller);
    const distance = this.endAt() + margin_px - view.bottom;
    if (distance <= 0) return;
    // A flood nobody can read is followed in steps, so that most of it is never laid out.
    const wait_ms = distance > view.bottom - view.top ? this.#followed_ms + flood_ms - performance.now() : 0;
    if (wait_ms > 0) {
      this.#later ??= setTimeout(() => {
        this.#later = undefined;
        this.#follow();
      }, wait_ms);
      return;
    }
    this.#followed_ms = performance.now();
    this.scrollBy(distance);
  }

  #seen(entry: IntersectionObserverEntry): void {
    this.visible = entry.isIntersecting;
    if (this.visible) this.stuck = true;
    const bottom = Math.min(entry.rootBounds?.bottom ?? innerHeight, this.view()?.bottom ?? innerHeight);
    this.below = !this.visible && entry.boundingClientRect.top > bottom - 1;
    // Scrolled past the whole card: its end is above, nothing to follow.
    if (!this.visible && !this.below) this.stuck = false;
    this.#onChange();
  }

  /** Only what happens inside our own scroller says anything about this card. */
  #gesture(event: Event): void {
    if (event.type === "scroll") {
      this.#scrolled(event);
      return;
    }
    const scroller = this.#findScroller();
    if (!scroller || !event.composedPath().includes(scroller)) return;
    if (event instanceof WheelEvent) this.#wheel(event);
    else if (!(event instanceof KeyboardEvent)) this.#release();
    else if (upKeys.has(event.key) && !editing(event)) this.#release();
  }

  #wheel(event: WheelEvent): void {
    if (event.deltaY < 0) this.#release();
    else if (event.deltaY > 0 && this.visible && !this.stuck) this.jump();
  }

  #scrolled(event: Event): void {
    const scroller = this.#findScroller();
    if (!scroller || (event.target !== scroller && event.target !== document)) return;
    // Moving up while nothing got shorter is the reader's doing: a dragged scroll bar leaves no other trace.
    const up = scroller.scrollTop < this.#top - 2 && scroller.scrollHeight >= this.#height;
    this.#remember(scroller);
    if (up) this.#release();
    this.#onChange();
  }

  #release(): void {
    if (!this.stuck) return;
    this.stuck = false;
    this.#onChange();
  }

  #remember(scroller: Element): void {
    this.#top = scroller.scrollTop;
    this.#height = scroller.scrollHeight;
  }

  /** Text is selected in the card, or the reader types, in a form of the card or somewhere else. */
  #isReading(): boolean {
    const root = this.#host.shadowRoot;
    const selected = root && selectionIn(root);
    if (selected && (root.contains(selected) || this.#host.contains(selected))) return true;
    const focused = root?.activeElement ?? document.activeElement;
    return focused !== null && isEditable(focused);
  }

  #findScroller(): Element | null {
    if (this.#scroller?.isConnected && isScrollable(this.#scroller)) return this.#scroller;
    this.#scroller = null;
    for (let element = drawnParent(this.#host); element; element = drawnParent(element)) {
      if (!isScrollable(element)) continue;
      this.#scroller = element;
      this.#remember(element);
      break;
    }
    return this.#scroller;
  }
}

function isScrollable(element: Element): boolean {
  if (element.scrollHeight <= element.clientHeight + 1) return false;
  return (
    element === document.scrollingElement || /auto|scroll|overlay/.test(getComputedStyle(element).overflowY)
  );
}

function viewOf(scroller: Element): { top: number; bottom: number } {
  if (scroller === document.scrollingElement) return { top: 0, bottom: innerHeight };
  const { top } = scroller.getBoundingClientRect();
  const start = Math.max(0, top + scroller.clientTop);
  return { top: start, bottom: Math.min(innerHeight, top + scroller.clientTop + scroller.clientHeight) };
}

function editing(event: Event): boolean {
  const target = event.composedPath()[0];
  return target instanceof Element && isEditable(target);
}

function isEditable(element: Element): boolean {
  return (
    element instanceof HTMLElement &&
    (element.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(element.tagName))
  );
}
