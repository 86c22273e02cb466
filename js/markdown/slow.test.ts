// @vitest-environment happy-dom
// On a slow machine blocks are parsed less often, and what came meanwhile is shown as it is: the tree is the same.
import { expect, it, vi } from "vitest";
import { numbers, sample } from "../../tests/browser/page/samples.ts";
import { MarkdownStream } from "./stream.ts";

const slow = vi.hoisted(() => ({ parse_ms: 0 }));
vi.mock("./limits.ts", async (original) => ({
  ...(await original<object>()),
  get SLOW_PARSE_MS() {
    return slow.parse_ms;
  },
}));

type Work = (deadline_ms: number) => boolean;

function draw(pieces: Iterable<string>): { html: string; unparsed: number } {
  const root = document.createElement("div");
  let work: Work = () => false;
  const onFrame = (next: Work) => {
    work = next;
  };
  const stream = new MarkdownStream(root, { signal: new AbortController().signal, onFrame });
  let unparsed = 0;
  for (const piece of pieces) {
    stream.write(piece);
    const parse = vi.spyOn(document, "createElement");
    work(Number.POSITIVE_INFINITY);
    if (parse.mock.calls.length === 0) unparsed++;
    parse.mockRestore();
  }
  stream.end();
  work(Number.POSITIVE_INFINITY);
  root.normalize();
  return { html: root.innerHTML, unparsed };
}

function* cut(text: string, seed: number): Generator<string> {
  const next = numbers(seed);
  for (let at = 0; at < text.length; ) {
    const length = 1 + next(9);
    yield text.slice(at, at + length);
    at += length;
  }
}

it("is the tree of a fast one", () => {
  let unparsed = 0;
  for (let seed = 0; seed < 120; seed++) {
    const text = sample(seed, 2 + (seed % 9));
    slow.parse_ms = Number.POSITIVE_INFINITY;
    const { html } = draw([text]);
    slow.parse_ms = -1;
    const late = draw(cut(text, seed));
    expect(late.html).toBe(html);
    unparsed += late.unparsed;
  }
  expect(unparsed).toBeGreaterThan(1000);
});
