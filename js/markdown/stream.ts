/** Markdown that arrives in pieces, drawn into an element at most once per frame. */
import { Blocks } from "./blocks.ts";
import { copyCode } from "./copy_code.ts";
import { Enhancer, type LoadModule } from "./enhance.ts";
import { Flow } from "./flow.ts";
import { loadImage } from "./images.ts";
import { PlainPieces } from "./inline.ts";
import { FRAME_BUDGET_MS, HIDDEN_BUDGET_MS, HIDDEN_DELAY_MS, SLICE } from "./limits.ts";

export type { LoadModule, ModuleName } from "./enhance.ts";

/** Calls back before the next frame; the signal takes the call back. */
export type Schedule = (callback: () => void, signal: AbortSignal) => void;

export interface MarkdownOptions {
  /** Ends everything: frames, timers, listeners. */
  signal: AbortSignal;
  /** Added to the level of the model's headings; 2 makes its h1 an h3. */
  headingOffset?: number;
  loadModule?: LoadModule;
  schedule?: Schedule;
  /** Asked when the reader wants to load an image; false refuses. */
  onRemoteImage?: (url: URL) => boolean;
}

export class MarkdownStream {
  #blocks: Blocks;
  readonly #enhancer: Enhancer;
  readonly #queue: string[] = [];
  readonly #schedule: Schedule;
  #frame: AbortController | null = null;
  /** More was waiting than the last frame had room for. */
  #behind = false;
  #ended = false;
  #finished = false;
  #carriageReturn = false;
  /** Where text goes after a fault. */
  #plain: PlainPieces | null = null;
  #waiters: Array<() => void> = [];

  readonly #root: HTMLElement;
  readonly #options: MarkdownOptions;

  constructor(root: HTMLElement, options: MarkdownOptions) {
    this.#root = root;
    this.#options = options;
    this.#schedule = options.schedule ?? nextFrame;
    this.#enhancer = new Enhancer(options.loadModule, options.signal);
    this.#blocks = this.#newBlocks();
    root.classList.add("gs-markdown");
    root.addEventListener("click", (event) => this.#clicked(event), { signal: options.signal });
    options.signal.addEventListener("abort", () => this.#abort(), { once: true });
  }

  /** Takes more text. Cheap: drawing waits for the next frame. */
  write(delta: string): void {
    if (this.#ended) throw new Error("the text has ended: write after end()");
    if (delta === "" || this.#options.signal.aborted) return;
    this.#queue.push(this.#normalise(delta));
    this.#request();
  }

  /** No more text comes: open blocks are closed once everything written is drawn. */
  end(): void {
    if (this.#ended) return;
    if (this.#carriageReturn) this.#queue.push("\n");
    this.#ended = true;
    if (!this.#options.signal.aborted) this.#request();
  }

  /** Empties the element and starts again. */
  reset(): void {
    this.#frame?.abort();
    this.#frame = null;
    this.#queue.length = 0;
    this.#behind = false;
    this.#ended = false;
    this.#finished = false;
    this.#carriageReturn = false;
    this.#plain = null;
    this.#root.replaceChildren();
    this.#blocks = this.#newBlocks();
    this.#wake();
  }

  /** Resolves when everything written so far is on the page, or when the signal aborted. */
  get idle(): Promise<void> {
    if (this.#isIdle()) return Promise.resolve();
    return new Promise((resolve) => this.#waiters.push(resolve));
  }

  /** Like `idle`, and code is coloured and formulas are drawn as far as modules came and code was near the view. */
  get settled(): Promise<void> {
    return this.idle.then(() => this.#enhancer.settled());
  }

  /**
   * Draws now what one frame has room for, unless more is waiting than one frame could draw: for a caller that is in a
   * frame, so that its text does not wait for another one.
   */
  drawInFrame(): void {
    if (!this.#behind) this.#draw(document.hidden ? HIDDEN_BUDGET_MS : FRAME_BUDGET_MS);
  }

  /** Draws everything written without waiting for a frame. */
  flush(): void {
    this.#draw(Number.POSITIVE_INFINITY);
  }

  #newBlocks(): Blocks {
    const headingOffset = this.#options.headingOffset ?? 2;
    return new Blocks(new Flow(this.#root), { headingOffset }, (element) => this.#enhancer.add(element));
  }

  /** Line ends become \n, also when \r and \n come apart; NUL is replaced, as CommonMark asks. */
  #normalise(delta: string): string {
    let text = this.#carriageReturn ? `\r${delta}` : delta;
    this.#carriageReturn = text.endsWith("\r");
    if (this.#carriageReturn) text = text.slice(0, -1);
    if (text.includes("\r")) text = text.replace(/\r\n?/g, "\n");
    return text.includes("\0") ? text.replaceAll("\0", "\ufffd") : text;
  }

  #request(): void {
    if (this.#frame !== null) return;
    const frame = new AbortController();
    this.#frame = frame;
    this.#schedule(() => {
      if (this.#frame !== frame) return;
      this.#draw(document.hidden ? HIDDEN_BUDGET_MS : FRAME_BUDGET_MS);
    }, frame.signal);
  }

  #draw(budget: number): void {
    this.#frame?.abort();
    this.#frame = null;
    if (this.#options.signal.aborted) return;
    const until = performance.now() + budget;
    while (this.#queue.length > 0) {
      this.#show(this.#take());
      if (this.#queue.length > 0 && performance.now() >= until) {
        this.#behind = true;
        this.#request();
        return;
      }
    }
    this.#behind = false;
    if (this.#ended && !this.#finished) {
      this.#finished = true;
      this.#show("", true);
    }
    this.#wake();
  }

  /** A fault of ours must not cost the reader the text: from there on it is shown as it came. */
  #show(text: string, end = false): void {
    try {
      if (this.#plain !== null) this.#plain.append(text);
      else this.#blocks.write(text, end);
    } catch (error) {
      reportError(error);
      const source = document.createElement("p");
      source.className = "gs-source";
      this.#root.append(source);
      this.#plain = new PlainPieces(source);
      this.#plain.append(this.#blocks.unfinished);
    }
  }

  /** About SLICE characters from the front of the queue. */
  #take(): string {
    let text = this.#queue.shift() ?? "";
    while (text.length < SLICE && this.#queue.length > 0) text += this.#queue.shift();
    if (text.length <= SLICE) return text;
    this.#queue.unshift(text.slice(SLICE));
    return text.slice(0, SLICE);
  }

  #isIdle(): boolean {
    if (this.#options.signal.aborted) return true;
    return this.#queue.length === 0 && this.#frame === null;
  }

  #wake(): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const resolve of waiters) resolve();
  }

  #abort(): void {
    this.#frame?.abort();
    this.#frame = null;
    this.#queue.length = 0;
    this.#wake();
  }

  #clicked(event: Event): void {
    const button = event.target instanceof Element ? event.target.closest("button") : null;
    if (button === null) return;
    if (button.classList.contains("gs-copy")) void copyCode(button, this.#options.signal);
    if (button.classList.contains("gs-load-image")) {
      loadImage(button, this.#options.onRemoteImage ?? (() => true));
    }
  }
}

/** The next frame, or a timer where frames do not come: in hidden pages and off-screen iframes. */
function nextFrame(callback: () => void, signal: AbortSignal): void {
  const done = new AbortController();
  const run = () => {
    if (done.signal.aborted || signal.aborted) return;
    done.abort();
    cancelAnimationFrame(frame);
    clearTimeout(timer);
    callback();
  };
  const frame = requestAnimationFrame(run);
  const timer = setTimeout(run, HIDDEN_DELAY_MS);
  signal.addEventListener(
    "abort",
    () => {
      cancelAnimationFrame(frame);
      clearTimeout(timer);
    },
    { once: true, signal: done.signal },
  );
}
