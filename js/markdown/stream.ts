/** Markdown that arrives in pieces, drawn into an element in the page's frames. */
import type { Load } from "../contract.ts";
import { h } from "../dom/dom.ts";
import { onFrame, type Work } from "../dom/frame.ts";
import { report } from "../dom/page.ts";
import { Blocks } from "./blocks.ts";
import { copyCode } from "./copy_code.ts";
import { Enhancer } from "./enhance.ts";
import { Flow, type PlacedBlock } from "./flow.ts";
import { loadImage } from "./images.ts";
import { PlainPieces } from "./inline.ts";
import { SLICE } from "./limits.ts";

export interface MarkdownOptions {
  /** Ends everything: frames, timers, listeners. */
  signal: AbortSignal;
  /** Added to the level of the model's headings; 2 makes its h1 an h3. */
  headingOffset?: number;
  loadModule?: Load;
  /** When to draw: in the next frame of the page, unless somebody else has the say. */
  onFrame?: typeof onFrame;
}

export class MarkdownStream {
  readonly #flow: Flow;
  readonly #blocks: Blocks;
  readonly #queue: string[] = [];
  readonly #work: Work = (deadline_ms) => this.#draw(deadline_ms);
  #ended = false;
  #finished = false;
  #carriageReturn = false;
  /** Where text goes after a fault. */
  #plain: PlainPieces | null = null;

  readonly #root: HTMLElement;
  readonly #options: MarkdownOptions;

  constructor(root: HTMLElement, options: MarkdownOptions) {
    this.#root = root;
    this.#options = options;
    const enhancer = new Enhancer(options.loadModule, options.signal);
    const headingOffset = options.headingOffset ?? 2;
    this.#flow = new Flow(root);
    this.#blocks = new Blocks(this.#flow, { headingOffset }, (element) => enhancer.add(element));
    root.classList.add("gs-markdown");
    root.addEventListener("click", (event) => this.#clicked(event), { signal: options.signal });
  }

  /** Takes more text. Cheap: drawing waits for a frame. */
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
    this.#request();
  }

  /**
   * The block that draws the source at `offset`, with where it starts and where the next one does: null while there is
   * none. Offsets count UTF-16 units of what was written, a line end as one. Where text was shown as it came after a
   * fault, there are no blocks.
   */
  blockAt(offset: number): (PlacedBlock & { end: number | null }) | null {
    return this.#flow.blockAt(offset);
  }

  /** Where the block around `node` starts in the source, or null when `node` is in none. */
  startOf(node: Node): number | null {
    return this.#flow.startOf(node);
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
    (this.#options.onFrame ?? onFrame)(this.#work, this.#options.signal);
  }

  /** Draws what there is time for. True when there is more. */
  #draw(deadline_ms: number): boolean {
    while (this.#queue.length > 0) {
      this.#show(this.#take());
      if (this.#queue.length > 0 && performance.now() >= deadline_ms) return true;
    }
    if (this.#ended && !this.#finished) {
      this.#finished = true;
      this.#show("", true);
    }
    return false;
  }

  /** A fault of ours must not cost the reader the text: from there on it is shown as it came. */
  #show(text: string, end = false): void {
    try {
      if (this.#plain !== null) this.#plain.append(text);
      else this.#blocks.write(text, end);
    } catch (error) {
      report(error);
      const source = h("p", { class: "gs-source" });
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

  #clicked(event: Event): void {
    const button = event.target instanceof Element ? event.target.closest("button") : null;
    if (button === null) return;
    if (button.classList.contains("gs-copy")) void copyCode(button, this.#options.signal);
    if (button.classList.contains("gs-load-image")) loadImage(button);
  }
}
