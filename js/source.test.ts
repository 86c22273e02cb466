// Model text must not find a way into an HTML parser: the names of those ways do not occur in the source.
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";

const folder = new URL("./", import.meta.url);
const forbidden =
  /\b(innerHTML|outerHTML|insertAdjacentHTML|DOMParser|createContextualFragment|setHTML\w*|srcdoc|customElements)\b|document\s*\.\s*write|\beval\s*\(|new Function\b/;

const sources = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter(
  (name) => name.endsWith(".ts") && !name.endsWith(".test.ts"),
);

describe("the source", () => {
  it("is found", () => {
    expect(sources.length).toBeGreaterThan(20);
    expect(forbidden.test("element.innerHTML = text")).toBe(true);
  });

  it.each(sources)("%s parses no markup", (name) => {
    const lines = readFileSync(new URL(name, folder), "utf8").split("\n");
    expect(lines.filter((line) => forbidden.test(line))).toEqual([]);
  });
});
