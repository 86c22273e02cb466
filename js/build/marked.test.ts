// The part of marked that is bundled reads every example as the whole of it does.
import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { Lexer } from "marked";
import { expect, it } from "vitest";
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

it("is the same lexer, and smaller", async () => {
  const whole = readFileSync(require.resolve("marked"), "utf8");
  const source = lexerSource(whole) as string;
  expect(source.length).toBeLessThan(whole.length);
  const url = `data:text/javascript;base64,${Buffer.from(source).toString("base64")}`;
  const part = (await import(/* @vite-ignore */ url)) as { Lexer: typeof Lexer };
  for (const text of [...tests.map(({ markdown }) => markdown), ...extras])
    expect(new part.Lexer({ gfm: true }).lex(text)).toEqual(new Lexer({ gfm: true }).lex(text));
});

it("has names of its own that no source of ours uses", () => {
  const whole = readFileSync(require.resolve("marked"), "utf8");
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
