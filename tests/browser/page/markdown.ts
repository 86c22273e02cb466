// The markdown renderer on a bare page, for test_markdown.py.

import { type ModuleName, moduleLoader } from "../../../js/load.ts";
import { type MarkdownOptions, MarkdownStream } from "../../../js/markdown/stream.ts";
import { reduceOurs, reduceTheirs } from "./commonmark.ts";
import { hard, large, nested } from "./large.ts";
import { numbers, sample } from "./samples.ts";

type Options = Partial<MarkdownOptions>;

/** A stream whose frames the test draws itself. */
function stream(root: HTMLElement, options: Options = {}): MarkdownStream {
  const signal = new AbortController().signal;
  return new MarkdownStream(root, { signal, headingOffset: 0, schedule: () => {}, ...options });
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

/** A loader whose kernel answers from the web server, or not at all; it notes what it was asked for. */
function loader(answers: boolean, version = "1") {
  const asked: ModuleName[] = [];
  const load = moduleLoader(async (name) => {
    asked.push(name);
    if (!answers) return new Promise(() => {});
    const source = await (await fetch(`/${name}.js`)).arrayBuffer();
    return { id: `${name}-${version}`, source };
  }, version);
  return { load, asked };
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
  MarkdownStream,
  gs: { stream, tree, render, cut, sample, large, hard, nested, loader, poke, reduceOurs, reduceTheirs },
});
