// @vitest-environment happy-dom
import { describe, expect, it } from "vitest";
import type { Json } from "../protocol.ts";
import { pretty, ValueView, visibleText } from "./values.ts";

const shown = (text: string) => visibleText(text).textContent;

describe("visibleText", () => {
  it.each([
    ["direction overrides", "safe\u202Etxt.exe", "safeU+202Etxt.exe"],
    ["zero-width characters", "pass\u200Bword\u2060", "passU+200BwordU+2060"],
    ["tags outside the basic plane", "a\u{E0041}b", "aU+E0041b"],
    ["controls", "a\x07b", "aU+0007b"],
    ["half a character", "a\ud83db", "aU+D83Db"],
    ["blank letters", "a\u3164b", "aU+3164b"],
  ])("names %s", (_, text, expected) => {
    expect(shown(text)).toBe(expected);
  });

  it.each(["line one\n\tline two", "familie 👨‍👩‍👧 ❤️", "naïve café", "שלום", "日本語"])(
    "leaves %j alone",
    (text) => {
      expect(shown(text)).toBe(text);
    },
  );
});

describe("pretty", () => {
  const values: Json[] = [null, 1, "a\n", [], {}, [1, [2, { a: null }]], { a: [], b: { c: "d" } }];
  it.each(values)("prints %j as JSON.stringify does", (value) => {
    expect(pretty(value)).toBe(JSON.stringify(value, null, 2));
  });

  it("stops soon after its limit", () => {
    const big = Array.from({ length: 100_000 }, (_, i) => i);
    expect(pretty(big, 200).length).toBeLessThan(220);
    expect(pretty({ text: "x".repeat(100_000) }, 200).length).toBeLessThan(300);
  });

  it("survives values nested deeper than anybody reads", () => {
    let deep: Json = 1;
    for (let i = 0; i < 5000; i++) deep = [deep];
    expect(pretty(deep)).toContain("[…]");
  });
});

describe("ValueView", () => {
  it("clips, says how much there is, and shows all of it on demand", () => {
    const view = new ValueView(new AbortController().signal);
    view.update("x".repeat(1000));
    expect(view.root.querySelector("button")?.textContent).toBe("Show all, 1,000 characters");
    view.update("x".repeat(2000));
    view.root.querySelector("button")?.click();
    expect(view.root.textContent).toBe("x".repeat(2000));
  });

  it("never cuts a character in two", () => {
    const view = new ValueView(new AbortController().signal);
    view.update(`${"x".repeat(599)}😀${"y".repeat(50)}`);
    expect(view.root.querySelector(".value-text")?.textContent).toBe(`${"x".repeat(599)}…`);
  });

  it("leaves the page alone when nothing changed", () => {
    const view = new ValueView(new AbortController().signal);
    view.update({ a: 1 });
    const before = view.root.firstChild;
    view.update({ a: 1 });
    expect(view.root.firstChild).toBe(before);
  });
});
