// @vitest-environment happy-dom
import { describe, expect, it } from "vitest";
import type { JsonObject } from "../protocol.ts";
import { runState } from "../testing.ts";
import { PromptLine } from "./prompt.ts";

function line(parts: JsonObject[], attachments?: string[]) {
  const prompt = new PromptLine(new AbortController().signal, attachments);
  prompt.paint(runState({ prompt: parts.length > 0 ? [{ role: "user", parts }] : [] }));
  const [words, list] = prompt.root;
  const chips = Array.from(list!.querySelectorAll("li"), (chip) => chip.textContent);
  return { text: words!.querySelector(".value-text")!.textContent, chips };
}

describe("a prompt", () => {
  it.each<[string, JsonObject[], string]>([
    ["words", [{ text: "hi" }, { text: "there" }], "hi\nthere"],
    ["a long text by what is left out", [{ text: "abc", cut: 42_123 }], "abc … and 42,123 more characters"],
    ["a picture", [{ inlineData: { mimeType: "image/png", size_bytes: 41_213 } }], "File, image/png, 41 kB"],
    ["one whose size nobody knows", [{ inlineData: { mimeType: "image/png" } }], "File, image/png"],
    ["an uploaded file", [{ fileData: { fileUri: "u" } }], "File, unknown type"],
    ["an answer", [{ functionResponse: { name: "f", response: { n: [1] } } }], 'Answer to f: {"n":[1]}'],
    [
      "a long answer",
      [{ functionResponse: { name: "f", response: '{"n": [1', cut: 1 } }],
      'Answer to f: {"n": [1 … and 1 more character',
    ],
    ["nothing it knows", [{ hologram: {} }], "(nothing)"],
    ["the same again", [], "Try again"],
  ])("tells of %s", (_, parts, expected) => {
    expect(line(parts).text).toBe(expected);
  });

  it("has a chip for whatever went with it, and none in an old notebook", () => {
    const words = ["table orders, 12,408 x 7, first 20 rows, 3.1 kB", "figure\u202egnp.exe, 41 kB"];
    expect(line([{ text: "hi" }], words).chips).toEqual([words[0], "figureU+202Egnp.exe, 41 kB"]);
    expect(line([{ text: "hi" }]).chips).toEqual([]);
  });
});
