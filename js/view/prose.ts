// Text of one kind as one flow, however many parts it came in.
import type { PartChange } from "../changes.ts";
import { MarkdownStream } from "../markdown/stream.ts";
import type { Part, TextPart } from "../protocol.ts";
import type { Block } from "./block.ts";
import type { CardContext } from "./context.ts";
import { h } from "./dom.ts";

export class Prose implements Block {
  readonly root = h("div", { class: "prose" });
  private readonly stream: MarkdownStream;
  private readonly kind: Part["kind"];
  /** Characters of each part that the stream already has. */
  private readonly fed = new Map<number, number>();

  constructor(part: TextPart, context: CardContext, signal: AbortSignal) {
    this.kind = part.kind;
    this.stream = new MarkdownStream(this.root, { signal, headingOffset: 2, loadModule: context.loadModule });
    this.add(part);
  }

  accepts(part: Part): boolean {
    return part.kind === this.kind;
  }

  add(part: Part): void {
    this.feed(part as TextPart);
  }

  change(part: Part, change: PartChange): void {
    if (change.whole) {
      this.feed(part as TextPart);
      return;
    }
    const text = change.appended.join("");
    this.fed.set(part.index, (this.fed.get(part.index) ?? 0) + text.length);
    this.stream.write(text);
  }

  close(): void {
    this.stream.end();
  }

  private feed(part: TextPart): void {
    const from = this.fed.get(part.index) ?? 0;
    if (part.text.length <= from) return;
    this.fed.set(part.index, part.text.length);
    this.stream.write(part.text.slice(from));
  }
}
