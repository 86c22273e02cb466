// Random answers made of fragments that cover every construct, and of fragments that are easy to get wrong.

const FRAGMENTS: readonly string[] = [
  "A paragraph with *emphasis*, **strong**, ~~deleted~~ and `code`.\n\n",
  "Two lines\nof one paragraph  \nwith a hard break\\\nand another.\n\n",
  "Text right before",
  "\n",
  "\n\n",
  "   \n",
  "# Heading\n",
  "###### Six ###\n\n",
  "Setext\n===\n\n",
  "Setext two\n---\n",
  "---\n",
  "* * *\n\n",
  "- a\n- b\n- c\n\n",
  "- a\n\n- b\n",
  "- a\n  - b\n    - c\n  - d\n- e\n",
  "1. one\n2. two\n\n   more of two\n3. three\n\n",
  "7) seven\n8) eight\n",
  "* star\n+ plus\n- minus\n",
  "- [ ] open\n- [x] done\n- plain\n\n",
  "- [ ] open\n\n- [x] done, loose\n\n",
  "- item\nlazy\n- item\n\n      code in item\n\n",
  "- ```py\n  x = 1\n  ```\n- after\n",
  "- > quote in item\n- # heading in item\n\n",
  "-\n- empty before\n-   \n\n",
  "> quote\n> more\nlazy\n\n",
  "> - list in quote\n> - b\n>\n> para\n\n",
  ">> deep\n> less\n\n",
  "> ```\n> code in quote\n> ```\n",
  "```python\ndef f(x):\n    return x\n```\n",
  "```\nplain\n\n\nblank lines\n```\n\n",
  "~~~ js info\nlet a = `x`;\n```\n~~~\n",
  "  ```\n  indented\n   more\n```\n",
  "````\n```\n````\n",
  "```never closed by these\n``\n",
  "    indented code\n    more\n\n    after blank\n\n",
  "| a | b |\n|---|:-:|\n| 1 | 2 |\n| `x|y` | *z* |\n\n",
  "| a |\n|---|\n",
  "| a | b |\n|---|\n| not a table |\n\n",
  "Text\n| h |\n|---|\n| r |\ntext after\n\n",
  "a | b\n- | -\nc | d\n\n",
  "[link](https://example.com/a?b=c 'title') and <https://auto.link/x> and www.bare.org.\n\n",
  "[ref][one] and [two] and [three][] and ![img][one]\n\n",
  "[one]: https://example.com/1\n",
  "[two]: <https://example.com/2> 'Title'\n",
  '[three]: https://example.com/3\n"title below"\n\n',
  '[three]: https://example.com/3\n"title over\nlines"\n\n',
  "[four]:\nhttps://example.com/4\n\n",
  "- [one]\n- in item [two]\n- [five]: https://example.com/5\n\n",
  "| [one] | [five] |\n|---|---|\n| [two] | x |\n\n",
  "> [five]: https://example.com/quote\n\n",
  "![image](https://example.com/i.png) [![linked](https://example.com/j.png)](https://example.com)\n\n",
  "<div>\nblock html\n</div>\n\n",
  "inline <b>html</b> <sub>x</sub> <script>alert(1)</script> <br> end\n\n",
  "<!-- comment\nover lines -->\n",
  "<b>\nstart\n</b>\n\n",
  "Entities &amp; &lt; &copy; &#65; &#x42; &unknown; &\n\n",
  "Escapes \\* \\_ \\# \\[ \\` \\$ \\\\\n\n",
  "Math $x^2$ and $$y$$ and \\(a_b\\) and \\[c\\] costs $5 and $10.\n\n",
  "$$\na + b\n- c\n= d\n$$\n\n",
  "\\[\n\\begin{aligned}\na &= b \\\\\n+ c\n\\end{aligned}\n\\]\n",
  "text\n$$\nx\n$$\nmore text\n\n",
  "$$ not closed\n- item\n\n",
  "$$ closed $$ and text\n\n",
  "**bold *both* _mixed_** `` a ` b `` \n\n",
  "unclosed **bold and `code and [link](\n\n",
  "\ttabbed\n\n",
  "-\ttab item\n\n\tcontinued\n\n",
  "10) ten\n\n11) eleven\n\n\n12) twelve\n",
  "\u00e4\u{1f600}\u4e2d\u6587 **\u4e2d**\u6587\n\n",
  "foo@bar.com https://a.b/c_d_e(f) *x*y\n\n",
  "<details>\n<summary>S</summary>\n\ninside\n\n</details>\n\n",
];

/** A repeatable source of numbers below `limit`. */
export function numbers(seed: number): (limit: number) => number {
  let state = seed + 1;
  return (limit) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 4_294_967_296) * limit);
  };
}

export function sample(seed: number, parts: number): string {
  const next = numbers(seed);
  let text = "";
  for (let count = 0; count < parts; count++) text += FRAGMENTS[next(FRAGMENTS.length)];
  return text;
}
