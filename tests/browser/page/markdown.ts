// The markdown renderer on a bare page, for test_markdown.py.

import type { Load } from "../../../js/contract.ts";
import { onFrame } from "../../../js/dom/frame.ts";
import { type MessagePort, moduleLoader, Shelf } from "../../../js/load.ts";
import { type MarkdownOptions, MarkdownStream } from "../../../js/markdown/stream.ts";
import { reduceOurs, reduceTheirs } from "./commonmark.ts";
import { constructs, square } from "./constructs.ts";
import { hard, large, nested } from "./large.ts";
import { numbers, sample } from "./samples.ts";

type Options = Partial<MarkdownOptions>;
type Work = (deadline_ms: number) => boolean;

/** A stream whose frames the test draws itself. */
function stream(root: HTMLElement, options: Options = {}): MarkdownStream & { flush(): void } {
  const waiting = new Set<Work>();
  const signal = new AbortController().signal;
  const made = new MarkdownStream(root, {
    signal,
    headingOffset: 0,
    onFrame: (work) => void waiting.add(work),
    ...options,
  });
  const flush = () => {
    for (const work of waiting) while (work(Number.POSITIVE_INFINITY)) {}
    waiting.clear();
  };
  return Object.assign(made, { flush });
}

/** A stream in the page's frames; `idle` resolves when all that was written is drawn. */
function live(root: HTMLElement, options: Options = {}) {
  const turns = new Map<Work, Work>();
  const waiting = new Set<Work>();
  const signal = options.signal ?? new AbortController().signal;
  const follow = (work: Work): Work => {
    const turn: Work = (deadline_ms) => {
      const more = work(deadline_ms);
      if (!more) waiting.delete(work);
      return more;
    };
    turns.set(work, turn);
    return turn;
  };
  const made = new MarkdownStream(root, {
    signal,
    onFrame: (work) => {
      waiting.add(work);
      onFrame(turns.get(work) ?? follow(work), signal);
    },
    ...options,
  });
  const idle = async () => {
    while (waiting.size > 0) await nextFrame();
  };
  return { stream: made, idle };
}

function nextFrame(): Promise<number> {
  return new Promise((resolve) => requestAnimationFrame(resolve));
}

/** Loads that are not answered yet, and work that waits for idle time. */
let loads = 0;
let jobs = 0;

const whenIdle = globalThis.requestIdleCallback;
globalThis.requestIdleCallback = (callback, options) => {
  jobs++;
  return whenIdle((deadline) => {
    jobs--;
    callback(deadline);
  }, options);
};

/** Resolves when nothing is left to colour or to draw as a formula of what is near the view. */
async function settled(): Promise<void> {
  // What comes into view is told a frame later.
  for (let calm = 0; calm < 3; calm = loads + jobs === 0 ? calm + 1 : 0) await nextFrame();
}

/** The element's tree as text, with neighbouring text nodes joined. */
export function tree(root: HTMLElement): string {
  root.normalize();
  return root.outerHTML;
}

/** Renders pieces, drawing after each, and gives the element. */
export function render(pieces: readonly string[], options: Options = {}): HTMLElement {
  const root = document.createElement("div");
  const markdown = stream(root, options);
  for (const piece of pieces) {
    markdown.write(piece);
    markdown.flush();
  }
  markdown.end();
  markdown.flush();
  return root;
}

/** Cuts text at places given by a small generator of pseudo-random numbers. */
export function cut(text: string, seed: number, longest: number): string[] {
  const pieces: string[] = [];
  const next = numbers(seed);
  for (let at = 0; at < text.length; ) {
    const length = 1 + next(longest);
    pieces.push(text.slice(at, at + length));
    at += length;
  }
  return pieces;
}

/**
 * A loader whose kernel answers from the web server, or only when told to; it notes what it was asked for. Loaders
 * with one shelf stand on one page, those without have a page of their own.
 */
function loader(answers: boolean, shelf = new Shelf()) {
  const asked: string[] = [];
  const handlers = new Set<(message: unknown, buffers?: readonly BlobPart[]) => void>();
  const answer = async (name: string) => {
    const source = await (await fetch(`/${name}.js`)).arrayBuffer();
    for (const handler of handlers) handler({ op: "module", name, id: name }, [source]);
  };
  const model: MessagePort = {
    send(content) {
      const { name } = content as { name: string };
      asked.push(name);
      if (answers) void answer(name);
    },
    on: (_, handler) => void handlers.add(handler),
    off: (_, handler) => void handlers.delete(handler),
  };
  const wanted = moduleLoader(model, new AbortController().signal, shelf);
  const load: Load = (name, hooks) => {
    const module = wanted(name, hooks);
    if (!answers) return module;
    loads++;
    return module.finally(() => loads--);
  };
  return { load, asked, answer, shelf };
}

/** What the reader might do to everything in an answer, except loading an image. Real links are not followed. */
function poke(root: HTMLElement): void {
  const hold = (event: Event) => {
    const link = (event.target as Element).closest("a");
    if (link !== null && /^(https?|mailto):/.test(link.protocol)) event.preventDefault();
  };
  document.addEventListener("click", hold, true);
  for (const element of root.querySelectorAll<HTMLElement>("*:not(.gs-load-image)")) {
    for (const name of [
      "pointerover",
      "mouseover",
      "mouseenter",
      "mousemove",
      "pointerdown",
      "keydown",
      "wheel",
    ]) {
      element.dispatchEvent(new Event(name, { bubbles: true }));
    }
    element.focus?.();
    element.click?.();
    element.blur?.();
  }
  document.removeEventListener("click", hold, true);
}

Object.assign(globalThis, {
  gs: {
    stream,
    live,
    settled,
    tree,
    render,
    cut,
    sample,
    constructs,
    square,
    large,
    hard,
    nested,
    loader,
    poke,
    reduceOurs,
    reduceTheirs,
  },
});
