// Text of one kind as one flow, however many parts it came in.

import { h } from "../dom/dom.ts";
import { MarkdownStream } from "../markdown/stream.ts";
import type { Part, TextPart } from "../protocol.ts";
import type { PartChange } from "../state/changes.ts";
import type { Block } from "./block.ts";
import type { PartContext } from "./context.ts";

export class Prose implements Block {
  readonly root = h("div", { class: "prose" });
  readonly prose = this.root;
  readonly #stream: MarkdownStream;
  readonly #kind: Part["kind"];
  /** Characters of each part that the stream already has. */
  readonly #fed = new Map<number, number>();
  #closed = false;

  constructor(part: TextPart, context: PartContext, signal: AbortSignal) {
    this.#kind = part.kind;
    this.#stream = new MarkdownStream(this.root, {
      signal,
      headingOffset: 2,
      loadModule: context.loadModule,
    });
    this.#feed(part);
  }

  join(part: Part): boolean {
    if (part.kind !== this.#kind) return false;
    this.#feed(part as TextPart);
    return true;
  }

  change(part: Part, change: PartChange): boolean {
    if (change.whole) return this.#feed(part as TextPart);
    const text = change.appended.join("");
    return this.#write(part.index, text);
  }

  close(): void {
    this.#closed = true;
    this.#stream.end();
  }

  #feed(part: TextPart): boolean {
    const from = this.#fed.get(part.index) ?? 0;
    return part.text.length >= from && this.#write(part.index, part.text.slice(from));
  }

  #write(index: number, text: string): boolean {
    if (text === "") return true;
    if (this.#closed) return false;
    this.#fed.set(index, (this.#fed.get(index) ?? 0) + text.length);
    this.#stream.write(text);
    return true;
  }
}
