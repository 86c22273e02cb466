// @vitest-environment happy-dom
// Where blocks are in the source, and that each is a function of its own source.
import { describe, expect, it } from "vitest";
import { sample } from "../../tests/browser/page/samples.ts";
import { growingProse } from "../testing.ts";
import { MAX_PASS, MAX_REBUILDS, SLAB_BLOCKS } from "./limits.ts";

function draw(pieces: readonly string[], end = true) {
  const { root, stream, flush } = growingProse();
  for (const piece of pieces) {
    stream.write(piece);
    flush();
  }
  if (end) {
    stream.end();
    flush();
  }
  return { root, stream, flush };
}

function blocksOf(root: HTMLElement): HTMLElement[] {
  return Array.from(root.children).flatMap((slab) => Array.from(slab.children) as HTMLElement[]);
}

/** Without link definitions: those reach into other blocks. */
const texts = Array.from({ length: 40 }, (_, seed) => sample(seed, 12)).filter(
  (text) => !text.includes("]:"),
);

describe("where a block is in the source", () => {
  it.each([["at once"], ["in pieces"]])("is told for every block, %s", (how) => {
    expect(texts.length).toBeGreaterThan(8);
    for (const text of texts) {
      const { root, stream } = draw(how === "at once" ? [text] : (text.match(/[\s\S]{1,7}/g) ?? []));
      const blocks = blocksOf(root);
      expect(blocks.length).toBeGreaterThan(0);
      for (const block of blocks) {
        const start = stream.startOf(block) as number;
        const found = stream.blockAt(start);
        expect(found?.element).toBe(block);
        expect(found?.start).toBe(start);
        const end = found?.end ?? text.length;
        expect(stream.blockAt(end - 1)?.element).toBe(block);
        // The block alone is the same block.
        expect(blocksOf(draw([text.slice(start, end)]).root).map((one) => one.outerHTML)).toEqual([
          block.outerHTML,
        ]);
      }
    }
  });

  it("is found from anything inside the block, and nowhere else", () => {
    const text = "first\n\n- a\n- b *c*\n\n| t |\n|---|\n| u |\n\nlast";
    const { root, stream } = draw([text], false);
    expect(stream.startOf(root.querySelector("em")?.firstChild as Node)).toBe(text.indexOf("- a"));
    expect(stream.startOf(root.querySelector("td") as Node)).toBe(text.indexOf("| t"));
    expect(stream.startOf(root)).toBeNull();
    expect(stream.startOf(document.createElement("p"))).toBeNull();
    expect(stream.blockAt(text.length - 1)?.element.textContent).toBe("last");
    expect(draw([""]).stream.blockAt(0)).toBeNull();
  });

  it("holds over many slabs, and before the end", () => {
    const count = SLAB_BLOCKS * 3 + 5;
    const { stream } = draw(["word\n\n".repeat(count)], false);
    for (const index of [0, SLAB_BLOCKS - 1, SLAB_BLOCKS, count - 1])
      expect(stream.blockAt(index * 6 + 2)?.start).toBe(index * 6);
  });
});

describe("a block that does not end", () => {
  it("ends with what the parser is given, at the end of a line, however the text arrives", () => {
    const line = `> quoted words ${"and more ".repeat(100)}\n>\n`;
    const text = line.repeat((MAX_PASS * 2.5) / line.length);
    const { root } = draw([text]);
    const quotes = blocksOf(root);
    expect(quotes.map(({ localName }) => localName)).toEqual(["blockquote", "blockquote", "blockquote"]);
    expect(root.textContent?.match(/quoted words/g)?.length).toBe(text.split(line).length - 1);
    const pieces = text.match(/[\s\S]{1,9000}/g) ?? [];
    expect(blocksOf(draw(pieces).root).map((one) => one.childElementCount)).toEqual(
      quotes.map((one) => one.childElementCount),
    );
  });
});

describe("a definition that comes later", () => {
  const labels = Array.from({ length: MAX_REBUILDS + 4 }, (_, index) => `l${index}`);
  const reader = `${labels.map((label) => `[${label}]`).join(" ")}\n\nnext\n\n`;

  it("changes the block that reads it, a few times at once and for the last time at the end", () => {
    const { root, stream, flush } = draw([reader], false);
    const links: number[] = [];
    for (const label of labels) {
      stream.write(`[${label}]: https://a.test/${label}\nx\n\n`);
      flush();
      links.push(root.querySelectorAll("a").length);
    }
    expect(links).toEqual(labels.map((_, index) => Math.min(index + 1, MAX_REBUILDS)));
    stream.end();
    flush();
    expect(root.querySelectorAll("a").length).toBe(labels.length);
  });

  it.each(["[A  b]", "[a\nb]", "![x][a b]", "[y][a b]", "[a b][]", "> [a\n> b]"])(
    "is found by %j",
    (text) => {
      const { root } = draw([`${text}\n\nnext\n\n`, "[a b]: https://a.test\n\nend\n\n"]);
      expect(root.querySelector("a, button")).not.toBeNull();
    },
  );

  it.each(["[a\\]b]", "[a\\[b]"])("is found by %j, which has a bracket in it", (label) => {
    const { root } = draw([`${label}\n\nnext\n\n`, `${label}: https://a.test\n\nend\n\n`]);
    expect(root.querySelector("a")?.href).toBe("https://a.test/");
  });
});
