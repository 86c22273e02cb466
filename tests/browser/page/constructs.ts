// Every construct of markdown, repeated until it is as long as asked for: what the renderer does must grow with the
// length of a text and no faster, whatever it is made of.

type Make = (size: number) => string;

/** `unit` again and again; it may depend on how often it was there before. */
function repeat(unit: string | ((index: number) => string), head = "", tail = ""): Make {
  return (size) => {
    const pieces = [head];
    for (let index = 0, length = 0; length < size; index++) {
      const piece = typeof unit === "string" ? unit : unit(index);
      pieces.push(piece);
      length += piece.length;
    }
    pieces.push(tail);
    return pieces.join("");
  };
}

/** Half of it opens what the other half closes. */
function nest(open: string, close: string, inside = "a"): Make {
  return (size) => {
    const depth = Math.ceil(size / (open.length + close.length));
    return open.repeat(depth) + inside + close.repeat(depth);
  };
}

/** Two halves of about the same length. */
function both(first: Make, second: Make): Make {
  return (size) => `${first(size / 2)}\n\n${second(size / 2)}`;
}

const definitions = repeat((index) => `[label ${index}]: https://example.com/${index} "Title ${index}"\n`);
const links = repeat((index) => `See [label ${index}] and [this][label ${index}].\n\n`);

export const constructs: Readonly<Record<string, Make>> = {
  // Blocks
  paragraphs: repeat("Some *words* of a paragraph, with `code` in it.\n\n"),
  "one long paragraph": repeat("Some *words* of a paragraph, with `code` in it.\n"),
  "one long line": repeat("some **words** and `code` "),
  "one long word": repeat("word"),
  headings: repeat((index) => `${"#".repeat(1 + (index % 6))} Heading ${index}\n`),
  "setext headings": repeat("Heading\n===\nOther\n---\n"),
  "setext underlines": repeat("===\n"),
  "setext underlines after text": repeat("===\n", "a\n"),
  rules: repeat("---\n***\n"),
  "a rule of many marks": repeat("- "),
  quotes: repeat("> quoted words\n> and more\n\n"),
  "one long quote": repeat("> quoted words\n"),
  "quote with paragraphs": repeat("> quoted words\n>\n"),
  "nested lazy quotes": repeat("> > a\nlazy\n"),
  "lazy items in a quote": repeat("> - a\nlazy\n"),
  "lazy quote": repeat("lazy line\n", "> "),
  "nested quotes": repeat((index) => `${"> ".repeat(1 + (index % 12))}word\n`),
  "nested quotes with blank lines": repeat((index) => `${"> ".repeat(1 + (index % 12))}word\n\n`),
  "deep quotes": repeat(">"),
  "deep quotes, continued": repeat(">", "", " a\nb\n"),
  "tight list": repeat("- item with *words*\n"),
  "loose list": repeat("- item with *words*\n\n"),
  "ordered list": repeat((index) => `${index + 1}. item\n`),
  "list of empty items": repeat("-\n"),
  "alternating lists": repeat("- a\n+ b\n"),
  "task list": repeat((index) => `- [${index % 2 === 0 ? "x" : " "}] task\n`),
  "nested list": repeat((index) => `${"  ".repeat(index % 8)}- item\n`),
  "nested loose list": repeat((index) => `${"  ".repeat(index % 8)}- item\n\n`),
  "one item of one paragraph": repeat("  words of an item\n", "- "),
  "one item of paragraphs": repeat("  words of an item\n\n", "- a\n\n"),
  "one item of a list": repeat("  - inner\n", "- a\n"),
  "one item of code": repeat("  code\n", "- ```\n"),
  "one item of a table": repeat("  | 1 | 2 |\n", "- | a | b |\n  |---|---|\n"),
  "lazy item": repeat("lazy line\n", "- "),
  "list in quote": repeat("> - item\n"),
  "quote in list": repeat("- > quote\n"),
  "deep lists": repeat("- a\n  ", "", "b"),
  table: repeat("| one | *two* | `three` |\n", "| a | b | c |\n|---|:-:|--:|\n"),
  "wide table": (size) =>
    [`|${" h |".repeat(size / 12)}`, `|${"---|".repeat(size / 12)}`, `|${" c |".repeat(size / 12)}`, ""].join(
      "\n",
    ),
  "wide and long table": (size) => {
    const columns = Math.ceil(Math.sqrt(size / 4));
    return `${`|${" h |".repeat(columns)}\n|${"---|".repeat(columns)}\n`}${`|${" c |".repeat(columns)}\n`.repeat(columns)}`;
  },
  "table with a wide header": (size) =>
    `|${" h |".repeat(size / 16)}\n|${"---|".repeat(size / 16)}\n${"| c |\n".repeat(200)}`,
  "table of short rows": repeat("a|\n", "a|b\n-|-\n"),
  tables: repeat("| a | b |\n|---|---|\n| 1 | 2 |\n\n"),
  "header lines only": repeat("a | b\n"),
  pipes: repeat("|"),
  "dashes and pipes": repeat("|-"),
  "table in quote": repeat("> | 1 | 2 |\n", "> | a | b |\n> |---|---|\n"),
  fences: repeat("```python\nx = 1\n```\n\n"),
  "one fence": repeat("x = 1\n", "```python\n"),
  "fence of one line": repeat("x = 1; ", "```python\n"),
  "fence of marks": repeat("`", "~~~\n"),
  "fences that do not close": repeat("~~~\n```\n"),
  "fence in quote": repeat("> x = 1\n", "> ```\n"),
  "indented code": repeat("    x = 1\n"),
  "indented code with blank lines": repeat("    x = 1\n\n"),
  "html block": repeat("words\n", "<div>\n"),
  "html blocks": repeat("<div>\nwords\n</div>\n\n"),
  "html tags on lines": repeat("<div>\n"),
  comments: repeat("<!-- a -->\n"),
  "one comment": repeat("words\n", "<!-- "),
  "comments that do not close": repeat("<!-- a\n\n"),
  cdata: repeat("<![CDATA[ a ]]>\n"),
  "cdata that does not close": repeat("<![CDATA[ a "),
  "processing instructions": repeat("<?a "),
  declarations: repeat("<!A "),
  "blank lines": repeat("\n"),
  "lines of spaces": repeat("    \n"),
  spaces: repeat(" "),
  tabs: repeat("\t"),
  "carriage returns": repeat("a\r"),
  // Links
  "link definitions": definitions,
  "definitions of one label": repeat("[a]: https://example.com\n"),
  "definitions, then links": both(definitions, links),
  "links, then definitions": both(links, definitions),
  "links to nothing": repeat((index) => `See [label ${index}].\n\n`),
  "links in one paragraph": both(
    definitions,
    repeat((index) => `[label ${index}] `),
  ),
  "definitions and links in turn": repeat(
    (index) => `[l${index}]\n\n[l${index}]: https://example.com/${index}\n\n`,
  ),
  "definitions after links to one": repeat((index) => `[last] [l${index}]\n\n[l${index}]: https://a.b\n\n`),
  "definitions in a list": repeat((index) => `- [label ${index}]: https://example.com/${index}\n`),
  "definitions in quotes": repeat((index) => `> [label ${index}]: https://example.com/${index}\n\n`),
  "definitions and a list of links": both(
    definitions,
    repeat((index) => `- [label ${index}]\n`),
  ),
  "a list of links and definitions": both(
    repeat((index) => `- [label ${index}]\n`),
    definitions,
  ),
  "a table of links and definitions": both(
    repeat((index) => `| [label ${index}] |\n`, "| a |\n|---|\n"),
    definitions,
  ),
  "definitions and a table of links": both(
    definitions,
    repeat((index) => `| [label ${index}] |\n`, "| a |\n|---|\n"),
  ),
  "definitions with titles over lines": repeat((index) => `[l${index}]: https://a.b\n"title\nmore"\n`),
  "a title that does not close": repeat("words\n", '[a]: https://a.b "'),
  "definitions that do not end": repeat("[a]: \n"),
  footnotes: repeat((index) => `Words[^${index}].\n\n[^${index}]: Note ${index}.\n\n`),
  "footnotes, then notes": both(
    repeat((index) => `Words[^${index}].\n\n`),
    repeat((index) => `[^${index}]: Note ${index}.\n\n`),
  ),
  "brackets behind backslashes, then definitions": both(repeat("\\["), definitions),
  "links in one paragraph, then definitions": both(
    repeat((index) => `[label ${index}] `),
    definitions,
  ),
  "definitions of wide rows": (size) =>
    `|${"h|".repeat(size / 12)}\n|${"-|".repeat(size / 12)}\n${"| [a] |\n".repeat(size / 16)}\n[a]: https://a.b\n`,
  "one label, long": repeat("a", "[", "]: https://a.b"),
  "inline links": repeat("[words](https://example.com/a 'title') "),
  "inline links in paragraphs": repeat("[words](https://example.com/a 'title')\n\n"),
  "links that do not close": repeat("[a]("),
  "links in brackets that do not close": repeat("[a](<b"),
  "reference links that do not close": repeat("[a]["),
  "one address, long": repeat("a", "[a](https://a.b/", ")"),
  "brackets open": repeat("["),
  "brackets close": repeat("]"),
  "brackets nested": nest("[", "]"),
  "nested links": nest("[", "](https://a.b)"),
  images: repeat("![words](https://example.com/a.png) "),
  "images open": repeat("!["),
  "nested images": nest("![", "](https://a.b)"),
  autolinks: repeat("<https://example.com/a> "),
  "bare links": repeat("https://example.com/a www.example.com a@b.co "),
  "one bare link, long": repeat("a/", "https://example.com/"),
  "bare link with brackets": repeat("(", "https://example.com/"),
  protocols: repeat("http://"),
  www: repeat("www.a."),
  "addresses that do not end": repeat("a@b."),
  "one word and at": repeat("a", "", "@"),
  "dots and letters": repeat("a."),
  // Inline
  emphasis: repeat("*a* **b** ~~c~~ _d_ "),
  stars: repeat("*"),
  underscores: repeat("_"),
  tildes: repeat("~"),
  "emphasis open": repeat("*a "),
  "emphasis open, underscores": repeat("_a "),
  "emphasis open, strong": repeat("*a **b "),
  "emphasis close": repeat("a* "),
  "emphasis nested": nest("*a **b ", "c** d*"),
  "emphasis of all kinds": repeat("a**b_c*d__"),
  "emphasis on lines": repeat("*a\n"),
  "emphasis in paragraphs": repeat("*a **b\n\n"),
  "instructions and emphasis": repeat("<? b ", "*a* "),
  "emphasis in items": repeat("- *a **b\n"),
  "deletion open": repeat("~~a "),
  "stars in runs": repeat((index) => `${"*".repeat(1 + (index % 7))}a`),
  "code spans": repeat("`a` ``b`` "),
  backticks: repeat("`"),
  "backticks in runs": repeat((index) => `${"`".repeat(1 + (index % 60))}a`),
  "backticks in longer runs": repeat((index) => `${"`".repeat(index + 1)}a`),
  "code span that does not close": repeat("a ", "`"),
  "less than": repeat("<"),
  tags: repeat("<b>a</b> "),
  "tags open": repeat("<b>"),
  "tags that do not close": repeat("<a "),
  "attributes that do not close": repeat('<a b="'),
  "one tag, long": repeat(' a="b"', "a <b", ">"),
  "comments in text": repeat("a <!-- b "),
  "instructions in text": repeat("a <? b "),
  entities: repeat("&amp; &copy; &#65; "),
  "entities that do not end": repeat("&"),
  "one entity, long": repeat("a", "&"),
  "one number, long": repeat("1", "&#"),
  escapes: repeat("\\* \\_ "),
  backslashes: repeat("\\"),
  "hard breaks": repeat("a  \n"),
  "hard breaks by backslash": repeat("a\\\n"),
  "spaces before line ends": repeat(" ", "a", "\nb"),
  nul: repeat("\0"),
  "wide characters": repeat("\u{1f600}\u4e2d"),
  "combining marks": repeat("a\u0301"),
  // Formulas
  "paragraphs before a formula": repeat("a\n\n", "", "\\[\nb\n\\]\n"),
  "words before a formula": repeat("\\* ", "", "$x$"),
  "round formulas and emphasis": repeat("\\(a *b* "),
  formulas: repeat("Words $x^2$ and $$y$$. "),
  "formulas in paragraphs": repeat("Words $x^2$ and $$y$$.\n\n"),
  dollars: repeat("$"),
  "dollars in pairs": repeat("$$ "),
  "dollars open": repeat("$a "),
  "dollars open, emphasis": repeat("$a *b "),
  prices: repeat("It costs $5 and *more*. "),
  "display formulas": repeat("$$\nx\n$$\n\n"),
  "display formulas open": repeat("$$\na\n\n"),
  "one display formula": repeat("a + b\n", "$$\n"),
  "round formulas": repeat("\\(a\\) "),
  "round formulas open": repeat("\\(a "),
  "square formulas open": repeat("\\[a "),
  "formula lines open": repeat("\\[\n"),
  "formulas in items": repeat("- $a$ \\(b\\)\n"),
};

/** Grows with the square of its size: what the measurement must be able to see. */
export function square(size: number): number {
  let sum = 0;
  for (let row = 0; row < size; row++)
    for (let column = 0; column < size; column += 64) sum += (row ^ column) & 1;
  return sum;
}
