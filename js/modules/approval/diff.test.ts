import { describe, expect, it } from "vitest";
import { diff, shortDiff } from "./diff.ts";
import { codeWords, deadlineWords, heldWords, ruleWords, waitingWords } from "./phrases.ts";

const shown = (asked: string, now: string) =>
  diff(asked, now)
    .map(({ text, gone }) => (gone ? `[${text}]` : text))
    .join("");

describe("what the model asked", () => {
  it.each([
    ["id in (1042, 1077, 1078)", "id in (1042, 1077)", "id in (1042, 1077[, 1078])"],
    ["same", "same", "same"],
    ["", "new", ""],
    ["old", "", "[old]"],
    ["drop table a", "select from table a", "[drop] table a"],
    ["a 😀 b", "a b", "a [😀 ]b"],
  ])("%j, now %j, reads %j", (asked, now, pieces) => {
    expect(shown(asked, now)).toBe(pieces);
  });

  it("adds up to what it was, also where it is too long to compare", () => {
    const asked = Array.from({ length: 3000 }, (_, i) => `w${i}`).join(" ");
    const now = asked.replaceAll("w1", "v1");
    const pieces = diff(asked, now);
    expect(pieces.map(({ text }) => text).join("")).toBe(asked);
  });

  it("is short where much stayed the same", () => {
    const around = "x y ".repeat(500);
    const text = shortDiff(`${around}gone ${around}`, around + around)
      .map((piece) => piece.text)
      .join("");
    expect(text).toContain("gone");
    expect(text.length).toBeLessThan(400);
  });
});

describe("sentences", () => {
  it("say what a scope makes", () => {
    expect(ruleWords("delete_rows", "once")).toBe("");
    expect(ruleWords("delete_rows", "run")).toBe(
      "Approve: every later call of delete_rows runs without asking, in this run. Deny: every one is denied.",
    );
    expect(ruleWords("delete_rows", "chat")).toContain("in this chat");
  });

  it("count down in whole seconds", () => {
    expect(deadlineWords(12, 0.2)).toBe("Denied in 12 s if nobody decides");
    expect(deadlineWords(12, 11.9)).toBe("Denied in 1 s if nobody decides");
    expect(deadlineWords(90, 0)).toBe("Denied in 1 min 30 s if nobody decides");
    expect(deadlineWords(12, 12)).toBe("Time is up");
  });

  it("say which values are still unseen", () => {
    expect(heldWords(["command"])).toBe("Approve waits until the end was in view of: command");
    expect(heldWords(["a", "b", "c", "d", "x".repeat(99)])).toBe(
      "Approve waits until the end was in view of: a, b, c and 2 more",
    );
    expect(heldWords(["x".repeat(99)]).length).toBeLessThan(100);
  });

  it("count what waits", () => {
    expect(waitingWords(2, 0, 0)).toBe("2 calls wait for you");
    expect(waitingWords(3, 1, 0)).toBe("3 calls wait for you, 1 edited");
    expect(waitingWords(3, 0, 2)).toBe(
      "3 calls wait for you, 2 with more to see before they can be approved",
    );
    expect(codeWords({ id: "s0c0" })).toBe('run.approve("s0c0") or run.deny("s0c0")');
  });
});
