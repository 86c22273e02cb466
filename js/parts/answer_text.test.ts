import { describe, expect, it } from "vitest";
import type { Part } from "../protocol.ts";
import { runState, textPart } from "../testing.ts";
import { answerMarkdown } from "./answer_text.ts";
import { fenced } from "./code_run.ts";

const part = (index: number, more: object) => ({ ...textPart(index, ""), ...more }) as Part;
const answer = (...parts: Part[]) => answerMarkdown(runState({ parts }));

describe("answerMarkdown", () => {
  it("joins one flow without a seam and leaves the reasoning out", () => {
    const thought = textPart(0, "hm", { kind: "thought", thought: true });
    expect(answer(thought, textPart(1, "un"), textPart(2, ""), textPart(3, "broken"))).toBe("unbroken");
  });

  it("keeps code and its output as fenced blocks between the text", () => {
    const code = part(1, { kind: "code", code: "print(1)", language: "PYTHON" });
    const output = part(2, { kind: "code_result", output: "1\n", outcome: "OUTCOME_OK" });
    expect(answer(textPart(0, "Look:"), code, output, textPart(3, "Done."))).toBe(
      "Look:\n\n```python\nprint(1)\n```\n\n```text\n1\n```\n\nDone.",
    );
  });

  it("gives the calls when there is nothing else", () => {
    const call = part(0, { kind: "call", call: { name: "look", args: { x: 1 } } });
    expect(answer(call)).toContain('"name": "look"');
    expect(answer(call, textPart(1, "Text"))).toBe("Text");
  });
});

describe("fenced", () => {
  it("cannot be closed by the code inside", () => {
    expect(fenced("a ```` b\n", "PYTHON")).toBe("`````python\na ```` b\n`````\n");
    expect(fenced("x", 'py" onload="')).toBe("```\nx\n```\n");
    expect(fenced("x", "LANGUAGE_UNSPECIFIED")).toBe("```\nx\n```\n");
  });
});
