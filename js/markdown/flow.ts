/**
 * The blocks of one answer on the page: final ones in slabs, then at most one block that is still being appended to
 * (pinned), then the tail, which is drawn again with every flush.
 *
 * Block n always sits in slab n / SLAB_BLOCKS, so a block never moves once it is drawn, and where each starts in the
 * source is one number a block.
 */
import { h } from "../dom/dom.ts";
import { SLAB_BLOCKS } from "./limits.ts";
import { mergeNode } from "./merge.ts";

/** A block and where it starts in the source. */
export interface PlacedBlock {
  element: HTMLElement;
  start: number;
}

export class Flow {
  readonly #slabs: HTMLElement[] = [];
  /** Where each block starts in the source, those of the tail too. */
  readonly #starts: number[] = [];
  /** How many blocks are final. */
  #final = 0;
  #pinned = false;
  #full = 0;

  readonly #root: HTMLElement;

  constructor(root: HTMLElement) {
    this.#root = root;
  }

  /** The last block, when it is not final. */
  get growing(): HTMLElement | null {
    return this.#starts.length > this.#final ? this.#element(this.#starts.length - 1) : null;
  }

  /** Draws `fresh` as everything after the final and the pinned blocks; the first `final` of them become final. */
  show(fresh: readonly PlacedBlock[], final: number): HTMLElement[] {
    const base = this.#final + (this.#pinned ? 1 : 0);
    const kept = fresh.map(({ element }, index) => this.#place(element, base + index));
    for (let index = this.#starts.length - 1; index >= base + fresh.length; index--)
      this.#element(index)?.remove();
    this.#starts.length = base;
    for (const { start } of fresh) this.#starts.push(start);
    this.#final += final;
    this.#tidy();
    return kept;
  }

  /** The first block of the tail stays on the page from now on. */
  pin(): HTMLElement {
    const block = this.#element(this.#final);
    if (block === null || this.#pinned) throw new Error("nothing to pin");
    this.#pinned = true;
    return block;
  }

  /** The pinned block is final. */
  release(): void {
    if (!this.#pinned) return;
    this.#pinned = false;
    this.#final++;
    this.#tidy();
  }

  /** The block that the source at `offset` is drawn in, or null before the first. `end` is the start of the next. */
  blockAt(offset: number): (PlacedBlock & { end: number | null }) | null {
    let low = 0;
    let high = this.#starts.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#starts[middle] as number) <= offset) low = middle + 1;
      else high = middle;
    }
    const element = this.#element(low - 1);
    return element && { element, start: this.#starts[low - 1] as number, end: this.#starts[low] ?? null };
  }

  /** Where the block that holds `node` starts in the source, or null when it is in none. */
  startOf(node: Node): number | null {
    for (let at: Node | null = node; at !== null; at = at.parentNode) {
      const slab = this.#slabs.indexOf(at.parentNode as HTMLElement);
      if (slab < 0) continue;
      const place = Array.prototype.indexOf.call(this.#slabs[slab]?.children, at);
      return this.#starts[slab * SLAB_BLOCKS + place] ?? null;
    }
    return null;
  }

  #element(index: number): HTMLElement | null {
    const slab = this.#slabs[Math.floor(index / SLAB_BLOCKS)];
    return (slab?.children[index % SLAB_BLOCKS] as HTMLElement | undefined) ?? null;
  }

  #place(block: HTMLElement, index: number): HTMLElement {
    const old = this.#element(index);
    if (old === null) {
      this.#slab(Math.floor(index / SLAB_BLOCKS)).append(block);
      return block;
    }
    const kept = mergeNode(old, block) as HTMLElement;
    if (kept !== old) old.replaceWith(kept);
    return kept;
  }

  #slab(index: number): HTMLElement {
    for (let next = this.#slabs.length; next <= index; next++) {
      const slab = h("div", { class: "gs-slab" });
      this.#root.append(slab);
      this.#slabs.push(slab);
    }
    return this.#slabs[index] as HTMLElement;
  }

  /** Full slabs may be skipped by layout while they are off screen; an empty last one goes. */
  #tidy(): void {
    const full = Math.floor(this.#final / SLAB_BLOCKS);
    for (; this.#full < full; this.#full++) this.#slabs[this.#full]?.classList.add("gs-full");
    while (this.#slabs.at(-1)?.childNodes.length === 0) this.#slabs.pop()?.remove();
  }
}
