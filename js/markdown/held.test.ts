// @vitest-environment happy-dom
// While an answer grows, no mark flashes and no half link can be clicked.
import { describe, expect, it } from "vitest";
import { growingProse } from "../testing.ts";
import { heldLength } from "./held.ts";
import { MAX_HELD } from "./limits.ts";

/** What a reader sees after each piece, and where they can go from there. */
function frames(text: string, size: number): { seen: string[]; links: Set<string>; blocks: Set<string> } {
  const { root, stream, flush } = growingProse();
  const seen: string[] = [];
  const links = new Set<string>();
  const blocks = new Set<string>();
  const look = () => {
    flush();
    seen.push(root.textContent ?? "");
    for (const link of root.querySelectorAll("a")) links.add(link.href);
    for (const block of root.querySelectorAll(".gs-slab > *")) blocks.add(block.localName);
  };
  for (let at = 0; at < text.length; at += size) {
    stream.write(text.slice(at, at + size));
    look();
  }
  stream.end();
  look();
  return { seen, links, blocks };
}

const ANSWER = `Take the **first train** from *Oslo* and change at ~~noon~~ one.

See [the timetable](https://example.com/a_b/timetable?from=oslo&to=bergen "Title") or ![a map](https://example.com/map.png), \
or https://example.com/plain_address/of/it, and run \`pip install x\` with <kbd>Enter</kbd> &amp; wait, a@example.com.

- **one**: [link](https://example.com/one)
- __two__ and \`\`code \` tick\`\`
1. _three_ and **bold *and both* again**
`;

describe("frames", () => {
  it.each([1, 5, 12, 40])("of %i characters show no marks and no half links", (size) => {
    const { seen, links } = frames(ANSWER, size);
    const flashed = seen.filter((text) => /[*[\]~]|__|``|\]\(|<|&a|_three/.test(text));
    expect(flashed).toEqual([]);
    expect([...links]).toEqual([
      "https://example.com/a_b/timetable?from=oslo&to=bergen",
      "https://example.com/plain_address/of/it",
      "mailto:a@example.com",
      "https://example.com/one",
    ]);
  });

  it("show no row of a table before it is one, and no heading that is a list", () => {
    expect(frames("| a | b |\n|---|:-:|\n| 1 | 2 |\n", 1).blocks).toEqual(new Set(["div"]));
    expect(frames("| a |\n|---|\n| 1 |\n| 2 |\n", 6).seen.slice(2, 4)).toEqual(["a1", "a12"]);
    expect(frames("To buy:\n- bread\n- salt\n", 1).blocks).toEqual(new Set(["p", "ul"]));
    expect(frames("```python\nx = 1\n```\n", 1).seen.filter((text) => /^py?t?h?o?Copy/.test(text))).toEqual(
      [],
    );
  });

  it("show all but the last characters: what is open does not stay hidden", () => {
    const prose = "Plain words, 2 * 3 = 6, a < b, snake_case_names, f(x)[0] and so on. ".repeat(3);
    for (let at = 0; at < prose.length; at++) expect(heldLength(prose.slice(0, at))).toBeLessThan(20);
    expect(heldLength(`**${"never closed ".repeat(20)}`)).toBe(0);
    expect(heldLength(`**${"x".repeat(MAX_HELD - 2)}`)).toBe(MAX_HELD);
  });

  it("show code as it comes", () => {
    const { seen } = frames("```sh\necho `a **b\n", 1);
    expect(seen.some((text) => text.includes("echo `a *") && !text.includes("**b"))).toBe(true);
  });

  it("show a link as soon as it is whole", () => {
    expect(heldLength("a [link](https://a.test) and")).toBe(0);
    expect(heldLength("a [link](https://a.test)")).toBe(0);
    expect(heldLength("**[link](https://a.test/(x))** and")).toBe(0);
    expect(heldLength("a [link](https://a.test")).toBe("[link](https://a.test".length);
  });

  it("show at the end what never closed", () => {
    expect(frames("a **b", 1).seen.at(-1)).toBe("a **b");
    expect(frames("a [b](https://x", 1).seen.at(-1)).toContain("[b](https://x");
  });
});
