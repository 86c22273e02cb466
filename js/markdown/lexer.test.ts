import type { Token } from "marked";
import { describe, expect, it } from "vitest";
import { finalCount, offsets } from "./final.ts";
import { formattedLength, lex, noLinks } from "./lexer.ts";
import { MAX_INLINE } from "./limits.ts";

function final(text: string): string {
  const { tokens } = lex(text, noLinks(), true);
  const starts = offsets(tokens);
  return text.slice(0, starts[finalCount(tokens, starts, text)]);
}

function inline(text: string): string[] {
  const kinds = (tokens: readonly Token[]): string[] =>
    tokens.flatMap((token) => [token.type, ...kinds(("tokens" in token && token.tokens) || [])]);
  return kinds(lex(text).tokens);
}

describe("what is final", () => {
  it.each([
    ["one paragraph\n\n", ""],
    ["a\n\nb", ""],
    ["a\n\nb\n", "a\n\n"],
    ["1. a\n\n2", ""],
    ["1. a\n\n2. b", ""],
    ["a\n\n- b\n\nc", "a\n\n"],
    ["[a]: https://a.test\n", ""],
    ['[a]: https://a.test\n"title\n', ""],
    ["[a]: https://a.test\nb\n", "[a]: https://a.test\n"],
    ["a\n$$\nb\n", ""],
    ["a\n$$\nb\n$$", ""],
    ["a\n$$\nb\n$$\n", "a\n"],
    ["|\n]\n-", ""],
    ["a\n\n```\nb\n", "a\n\n"],
  ])("of %j is %j", (text, expected) => {
    expect(final(text)).toBe(expected);
  });

  it("adds up: the tokens' sources are the text", () => {
    for (const text of ["a\n\n- b\n  - c\n\n\nd", "> a\nb\n\n|x|\n|-|\n|y|\n\n", "    code\n\n\n\n# h #\n"]) {
      const { tokens } = lex(text);
      expect(tokens.map((token) => token.raw).join("")).toBe(text);
    }
  });
});

describe("bounds", () => {
  it("formats the head of a long paragraph only, cut at a space", () => {
    const text = `${"*word* ".repeat(MAX_INLINE / 4)}`;
    expect(text[formattedLength(text)]).toBe(" ");
    expect(formattedLength(text)).toBeLessThanOrEqual(MAX_INLINE);
    expect(formattedLength(text)).toBe(formattedLength(`${text}and more`));
  });

  it("survives nesting of every kind", () => {
    const deep = [
      ">".repeat(5000),
      "> ".repeat(5000),
      "- ".repeat(5000),
      "1. ".repeat(5000),
      "> - ".repeat(5000),
    ];
    const inlines = ["*a **b ".repeat(3000), "[".repeat(5000), "![".repeat(5000), "~~a ".repeat(5000)];
    for (const text of [...deep, ...deep.map((line) => `${line}a\nb`), ...inlines]) {
      expect(() => lex(text)).not.toThrow();
    }
  });

  it("leaves rules made of many marks alone", () => {
    expect(lex(`${"- ".repeat(60)}\n`).tokens[0]?.type).toBe("hr");
  });

  it("keeps a definition's label off the prototype", () => {
    const { links } = lex("[__proto__]: https://a.test\n\n[__proto__]\n");
    expect(Object.getPrototypeOf({})).not.toHaveProperty("href");
    expect(Object.keys(links)).toEqual(["__proto__"]);
  });
});

describe("formulas", () => {
  it.each([
    "$x$",
    "a $x^2$ b",
    "$$x$$ in text",
    "\\(x\\)",
    "text \\[x\\] text",
    "$a$, $b$",
    "($x$)",
    "$\\$5$",
  ])("finds one in %j", (text) => {
    expect(inline(text)).toContain("math");
  });

  it.each([
    "It costs $5 and $10.",
    "$5-$10",
    "$ x $",
    "$x $ y",
    "\\$x$",
    "US$5, A$6",
    "`$x$`",
    "$20,000 and $30,000",
    "$",
    "$$",
    "\\\\(x\\\\)",
  ])("finds none in %j", (text) => {
    expect(inline(text)).not.toContain("math");
  });

  it("does not pair emphasis with marks inside a formula", () => {
    expect(inline("*a $x*y$ b*").slice(0, 2)).toEqual(["paragraph", "em"]);
    expect(inline("$a_b$ and $c_d$")).not.toContain("em");
  });

  it("takes lines that look like other blocks, up to a blank line", () => {
    expect(lex("$$\n- a\n# b\n---\n$$\n").tokens.map((token) => token.type)).toEqual(["math"]);
    expect(lex("$$\n- a\n\n$$\n").tokens[0]?.type).toBe("paragraph");
  });

  it("waits for a closing mark only while text may follow", () => {
    expect(lex("$$\n- a\n", noLinks(), true).tokens.map((token) => token.type)).toEqual(["math_open"]);
    expect(lex("$$\n- a\n").tokens.map((token) => token.type)).toEqual(["paragraph", "list"]);
  });
});
