/**
 * The blocks of one answer on the page: final ones in chunks, then at most one block that is still being appended
 * to (`pinned`), then the tail, which is drawn again with every flush.
 *
 * Block n always sits in chunk n / CHUNK_BLOCKS, so a block never moves once it is drawn.
 */
import { CHUNK_BLOCKS } from "./limits.ts";
import { mergeNode } from "./merge.ts";

export class Flow {
  readonly #chunks: HTMLElement[] = [];
  #tail: HTMLElement[] = [];
  #pinnedBlock: HTMLElement | null = null;
  #settled = 0;
  #count = 0;

  readonly #root: HTMLElement;

  constructor(root: HTMLElement) {
    this.#root = root;
  }

  /** The block that is being appended to. */
  get pinned(): HTMLElement | null {
    return this.#pinnedBlock;
  }

  /** The last block on the page. */
  get last(): HTMLElement | null {
    return this.#tail.at(-1) ?? this.#pinnedBlock;
  }

  /** Draws `fresh` as everything after the final and the pinned blocks; the first `final` of them become final. */
  show(fresh: readonly HTMLElement[], final: number): HTMLElement[] {
    const base = this.#count + (this.#pinnedBlock === null ? 0 : 1);
    const kept = fresh.map((block, index) => this.#place(block, this.#tail[index], base + index));
    for (const old of this.#tail.slice(fresh.length)) old.remove();
    this.#count += final;
    this.#tail = kept.slice(final);
    this.#settle();
    return kept;
  }

  /** The first block of the tail stays on the page from now on. */
  pin(): HTMLElement {
    const block = this.#tail.shift();
    if (block === undefined || this.#pinnedBlock !== null) throw new Error("nothing to pin");
    this.#pinnedBlock = block;
    return block;
  }

  /** The pinned block is final. */
  release(): void {
    if (this.#pinnedBlock === null) return;
    this.#pinnedBlock = null;
    this.#count += 1;
    this.#settle();
  }

  /** Puts another element in the place of the pinned one. */
  replacePinned(element: HTMLElement): void {
    this.#pinnedBlock?.replaceWith(element);
    this.#pinnedBlock = element;
  }

  #place(block: HTMLElement, old: HTMLElement | undefined, index: number): HTMLElement {
    if (old === undefined) {
      this.#chunk(Math.floor(index / CHUNK_BLOCKS)).append(block);
      return block;
    }
    const kept = mergeNode(old, block) as HTMLElement;
    if (kept !== old) old.replaceWith(kept);
    return kept;
  }

  #chunk(index: number): HTMLElement {
    for (let next = this.#chunks.length; next <= index; next++) {
      const chunk = document.createElement("div");
      chunk.className = "gs-chunk";
      this.#root.append(chunk);
      this.#chunks.push(chunk);
    }
    return this.#chunks[index] as HTMLElement;
  }

  /** Full chunks may be skipped by layout while they are off screen; an empty last one goes. */
  #settle(): void {
    const full = Math.floor(this.#count / CHUNK_BLOCKS);
    for (; this.#settled < full; this.#settled++) this.#chunks[this.#settled]?.classList.add("gs-settled");
    while (this.#chunks.at(-1)?.childNodes.length === 0) this.#chunks.pop()?.remove();
  }
}
