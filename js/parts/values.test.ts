// @vitest-environment happy-dom
import { describe, expect, it } from "vitest";
import { ValueView, visibleText } from "./values.ts";

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
