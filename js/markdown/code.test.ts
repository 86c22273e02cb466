// @vitest-environment happy-dom
import { expect, it } from "vitest";
import { codeBlock, codeText, LineSpans } from "./code.ts";

function shown(...lines: string[]): HTMLElement {
  const { code } = codeBlock("python");
  new LineSpans(code).append(lines);
  return code;
}

it.each(["if admin:\u202e # off", "pass\u200bword = 1", "x = 1 \u2066# y\u2069"])(
  "says that %j holds what a reader does not see, and keeps it as it is",
  (line) => {
    const code = shown("a = 1", line);
    expect(code.classList.contains("gs-odd")).toBe(true);
    expect(codeText(code)).toBe(`a = 1\n${line}\n`);
  },
);

it.each(["plain = 'naïve שלום 日本語'", "emoji = '👨‍👩‍👧 ❤️'", "\tindented"])(
  "says nothing about %j",
  (line) => {
    expect(shown(line).classList.contains("gs-odd")).toBe(false);
  },
);
