// The part of marked that is bundled reads every example as the whole of it does.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { Lexer } from "marked";
import { expect, it } from "vitest";
// @ts-expect-error: plain JavaScript, for build.mjs
import { lexerSource } from "./marked.mjs";

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
