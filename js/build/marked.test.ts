// The part of marked that is bundled reads every example as the whole of it does.
import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { Lexer, type MarkedOptions, Tokenizer } from "marked";
import { expect, it } from "vitest";
import { maskMath } from "../markdown/math_syntax.ts";
// @ts-expect-error: plain JavaScript, for bundle.mjs
import { lexerSource, privateNames } from "./marked.mjs";

const require = createRequire(import.meta.url);
const { tests } = require("commonmark-spec") as { tests: { markdown: string }[] };
const extras = [
  "a@b.co www.x.org https://y.z ~~del~~",
  "| a | b |\n|--|:-:|\n| 1 | `2|3` |\n",
  "- [x] done\n- [ ] open\n\ntwo  \nlines\\\nmore",
  tests.map(({ markdown }) => markdown).join("\n\n"),
];

const whole = readFileSync(require.resolve("marked"), "utf8");
const source = lexerSource(whole) as string;
const url = `data:text/javascript;base64,${Buffer.from(source).toString("base64")}`;
const part = (await import(/* @vite-ignore */ url)) as {
  Lexer: typeof Lexer;
  Tokenizer: typeof Tokenizer;
};

/** What lexer.ts has of its own is left out of both. */
function lexed(Reader: typeof Lexer, Base: typeof Tokenizer, text: string, more: MarkedOptions = {}) {
  class Rest extends Base {
    override del(): undefined {}
    override fences(): undefined {}
    override table(): undefined {}
  }
  return new Reader({ gfm: true, tokenizer: new Rest(), ...more }).lex(text);
}

it("is the same lexer, and smaller", () => {
  expect(source.length).toBeLessThan(whole.length);
  for (const text of [...tests.map(({ markdown }) => markdown), ...extras])
    expect(lexed(part.Lexer, part.Tokenizer, text)).toEqual(lexed(Lexer, Tokenizer, text));
});

it("pairs no mark of emphasis with one inside a formula", () => {
  const text = "*see $a*b$ there*";
  const hooks = { emStrongMask: maskMath } as never;
  const masked = lexed(Lexer, Tokenizer, text, { hooks });
  expect(masked).not.toEqual(lexed(Lexer, Tokenizer, text));
  expect(lexed(part.Lexer, part.Tokenizer, text, { hooks })).toEqual(masked);
});

it("has names of its own that no source of ours uses", () => {
  const names = privateNames(whole) as string[];
  expect(names.length).toBeGreaterThan(70);
  const folder = new URL("../", import.meta.url);
  const used = (name: string, text: string) => new RegExp(`(?<![#\\w])${name}\\b`).test(text);
  const sources = readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts") && !name.includes("node_modules"))
    .map((name) => readFileSync(new URL(name, folder), "utf8"));
  expect(sources.some((text) => used("tokenizer", text))).toBe(true);
  expect(names.filter((name) => sources.some((text) => used(name, text)))).toEqual([]);
});
