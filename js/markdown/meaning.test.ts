// @vitest-environment happy-dom
// Prose means what the model wrote: what other programs take for marks, and people do not.
import { describe, expect, it, vi } from "vitest";
import { growingProse } from "../testing.ts";

function draw(pieces: Iterable<string>): HTMLElement {
  const { root, stream, flush } = growingProse();
  for (const piece of pieces) {
    stream.write(piece);
    flush();
  }
  stream.end();
  flush();
  root.normalize();
  return root;
}

/** Drawn at once and character by character, which must be the same. */
function drawn(text: string): HTMLElement {
  const root = draw([text]);
  expect(draw(text).innerHTML).toBe(root.innerHTML);
  return root;
}

function found(text: string, selector: string): string[] {
  return Array.from(drawn(text).querySelectorAll(selector), (element) => element.textContent ?? "");
}

describe("tildes", () => {
  it.each([
    "~4~6 minutes, 80~90 degrees, 12~15 cups",
    "~€300 (~€40 of it food)",
    "in ~/src and ~/bin",
    "约~3~5天",
    "a ~b~ c",
    "~~ not struck ~~",
  ])("in %j are text", (text) => {
    const root = drawn(text);
    expect(root.querySelector("del")).toBeNull();
    expect(root.textContent).toBe(text);
  });

  it.each([
    ["~~x~~", "x"],
    ["a~~b~~c", "b"],
    ["~~a *b* `~~` c~~", "a b ~~ c"],
    ["价格~~旧价。~~新价", "旧价。"],
    ["~~~4 minutes~~", ""],
    ["~~about ~4~~", "about ~4"],
  ])("in %j strike out %j", (text, struck) => {
    expect(found(text, "del").join()).toBe(struck);
  });
});

describe("dollars", () => {
  it.each([
    "100$, the other costs 200$",
    "5$/month or 10$/month",
    "$PATH:$HOME/bin",
    "$HOME/$USER and $A-$B",
    "$\u007bA}:$\u007bB} and $(date)-$(host)",
    "between $5 and $10, or $5-$10, or $5/$10",
    "costs $5 (or 10$)",
    "in $US, about 20$ each",
    "cheap ($), moderate ($$), dear ($$$)",
    "$$ to $$$",
    "$$–$$",
    "US$5/A$6",
    "foreach ($a as $b) f($a,$b)",
    "in $, or in £ ($)",
    "s/a$/b$/",
  ])("in %j are text", (text) => {
    const root = drawn(text);
    expect(root.querySelector(".gs-math")).toBeNull();
    expect(root.textContent).toBe(text);
  });

  it.each([
    ["$x^2$", "$x^2$"],
    ["设$x>0$，则", "$x>0$"],
    ["the $n$th of $k$s", "$n$|$k$"],
    ['**$x$** ($y$), "$z$"', "$x$|$y$|$z$"],
    ["$2 + 3$ and $2ab$", "$2 + 3$|$2ab$"],
    ["$2 \\text{ if } x$", "$2 \\text{ if } x$"],
    ["$$x$$ and \\(y\\)", "$$x$$|\\(y\\)"],
    ["$f'$, $a_1$.", "$f'$|$a_1$"],
    ["$5 and $x$", "$x$"],
  ])("in %j are formulas", (text, formulas) => {
    expect(found(text, ".gs-math").join("|")).toBe(formulas);
  });
});

describe("emphasis beside Chinese, Japanese and Korean", () => {
  it.each([
    ["请先**备份数据。**然后", "备份数据。"],
    ["请看**“重点”**的内容", "“重点”"],
    ["これは**「重要」**です。", "「重要」"],
    ["**중요(필수)**입니다", "중요(필수)"],
    ["**备份(重要)**然后", "备份(重要)"],
    ["**完成！**", "完成！"],
    ["一*强调，*二", "强调，"],
    ["**[链接](https://a.test)**中", "链接"],
    ["中**[链接](https://a.test)**中", "链接"],
    ["**a。***b，*中", "a。|b，"],
  ])("in %j is found", (text, words) => {
    expect(found(text, "strong, em").join("|")).toBe(words);
  });

  it.each(['a**"b"**c', "2 ** 3 ** 4", "中 ** 文 **", "变量_名_字"])("in %j is none, as before", (text) => {
    expect(found(text, "strong, em")).toEqual([]);
  });
});

describe("written out addresses", () => {
  it.each([
    ["打开https://example.com/start，再安装。", "https://example.com/start"],
    ["见（https://example.com/a）。", "https://example.com/a"],
    ["「https://example.com/a」", "https://example.com/a"],
    ["“https://example.com/a”", "https://example.com/a"],
    ["[see https://example.com/a]", "https://example.com/a"],
    ["زر https://example.com/a، ثم", "https://example.com/a"],
    ["https://example.com/wiki/中文_(x)?a[]=1&b={id}/c.", "https://example.com/wiki/中文_(x)?a[]=1&b={id}/c"],
    ["www.example.com/a！", "www.example.com/a"],
    ["mail a@example.com。", "a@example.com"],
  ])("in %j end where the address does", (text, address) => {
    expect(found(text, "a")).toEqual([address]);
  });
});

describe("a document in a fence", () => {
  const after = "\n\nafter *it*\n";

  it.each([
    ["```markdown\n# T\n```bash\npip install x\n```\nmore\n```"],
    ["```md\n```py\na\n```\n\n```js\nb\n```\n```"],
    ["~~~markdown title\n~~~py\nx\n~~~\n~~~"],
    ["````markdown\n```py\nx\n```\n````"],
    ["```markdown\n````py\n```\n````\n```"],
    ["```markdown\nplain\n```"],
  ])("is one block, with its fences in it: %j", (text) => {
    const root = drawn(text + after);
    const inside = text.split("\n").slice(1, -1).join("\n");
    expect(Array.from(root.querySelectorAll("pre"), (pre) => pre.textContent)).toEqual([`${inside}\n`]);
    expect(root.querySelector("em")?.textContent).toBe("it");
  });

  it("may stand in a list and in a quote", () => {
    for (const text of [
      "- ```md\n  ```py\n  x\n  ```\n  ```\n- b\n",
      "> ```md\n> ```py\n> x\n> ```\n> ```\n",
    ])
      expect(found(text, "pre")).toEqual(["```py\nx\n```\n"]);
  });

  it("is not what other languages hold", () => {
    expect(found("```text\n```py\n```\n*a*\n", "pre")).toEqual(["```py\n"]);
  });
});

describe("which way containers run", () => {
  it.each([
    ["- خبز\n- salt\n", "ul", "rtl"],
    ["1. שלום\n", "ol", "rtl"],
    ["- `pip` یک ابزار\n", "ul", "rtl"],
    ["> **اقتباس**\n", "blockquote", "rtl"],
    ["| الاسم | n |\n|---|---|\n| a | 1 |\n", ".gs-scroll", "rtl"],
    ["- bread\n- ملح\n", "ul", "ltr"],
    ["- 12\n- ملح\n", "ul", null],
  ])("%j: %s is %s", (text, selector, dir) => {
    expect(drawn(text).querySelector(selector)?.getAttribute("dir")).toBe(dir);
  });
});

describe("Copy", () => {
  it.each([
    ["```bash\npip install x\n```", "pip install x"],
    ["```py\na\n\nb\n```", "a\n\nb"],
    ["```\na\n\n```", "a\n"],
  ])("of %j gives %j", async (text, copied) => {
    const writeText = vi.fn(() => Promise.resolve());
    vi.stubGlobal("navigator", { clipboard: { writeText } });
    const root = drawn(text);
    document.body.append(root);
    root.querySelector<HTMLButtonElement>(".gs-copy")?.click();
    expect(writeText).toHaveBeenCalledWith(copied);
    root.remove();
    vi.unstubAllGlobals();
  });
});
