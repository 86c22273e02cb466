// Large answers for measurements and for tests of how large blocks grow.

const WORDS = (
  "the model answers with text that grows while you read it and every block is drawn once when it is complete so " +
  "nothing moves under the pointer even if the table is long or the list has a thousand entries"
).split(" ");

function words(count: number, from: number): string {
  let text = "";
  for (let index = 0; index < count; index++) {
    const word = WORDS[(from * 7 + index * 3) % WORDS.length] ?? "";
    text += `${index === 0 ? "" : " "}${(from + index) % 11 === 0 ? `**${word}**` : word}`;
  }
  return text;
}

function repeat(size: number, unit: (index: number) => string): string {
  let text = "";
  for (let index = 0; text.length < size; index++) text += unit(index);
  return text;
}

/** An answer of about `size` characters with the mix of blocks a long explanation has. */
export function answer(size: number): string {
  return repeat(size, (index) => {
    const kind = index % 7;
    if (kind === 0) return `## Section ${index}\n\n`;
    if (kind === 3)
      return `- ${words(9, index)}\n- ${words(7, index + 1)} \`code\`\n- ${words(11, index + 2)}\n\n`;
    if (kind === 4) {
      return `\`\`\`python\ndef step_${index}(value):\n    """${words(6, index)}"""\n    return value * ${index}\n\nprint(step_${index}(2))\n\`\`\`\n\n`;
    }
    if (kind === 5)
      return `| name | value |\n|---|--:|\n| ${words(2, index)} | ${index} |\n| ${words(3, index)} | 2 |\n\n`;
    if (kind === 6) return `> ${words(20, index)}\n\n`;
    return `${words(60, index)} [a link](https://example.com/${index}) and *emphasis*.\n\n`;
  });
}

export const large: Readonly<Record<string, (size: number) => string>> = {
  answer,
  fence: (size) =>
    `\`\`\`python\n${repeat(size, (index) => `value_${index} = compute(${index}, "text ${index}")\n`)}`,
  list: (size) => repeat(size, (index) => `- ${words(8, index)} \`c${index}\`\n`),
  "loose list": (size) => repeat(size, (index) => `- ${words(8, index)}\n\n`),
  "nested list": (size) => repeat(size, (index) => `${"  ".repeat(index % 4)}- ${words(6, index)}\n`),
  table: (size) =>
    `| a | b | c |\n|---|:-:|--:|\n${repeat(size, (index) => `| ${words(3, index)} | ${index} | x |\n`)}`,
  paragraph: (size) => repeat(size, (index) => `${words(12, index)}${index % 5 === 4 ? "\n" : " "}`),
  "one line": (size) => repeat(size, (index) => `${words(12, index)} `),
  quote: (size) => repeat(size, (index) => `> ${words(12, index)}\n${index % 6 === 5 ? ">\n" : ""}`),
  "indented code": (size) => repeat(size, (index) => `    value = ${index}\n`),
  html: (size) => `<!-- ${repeat(size, (index) => `${words(12, index)}\n`)}`,
  item: (size) => `- ${repeat(size, (index) => `${words(12, index)}\n  `)}`,
};

/** Inputs that are hard on parsers, each of about `size` characters. */
export const hard: Readonly<Record<string, (size: number) => string>> = Object.fromEntries(
  [
    "[",
    "]",
    "![",
    "[[[",
    "[a](",
    "[a](<b",
    "[a][b]",
    "*a ",
    "_a ",
    "**a ",
    "*a **b ",
    "a**b_c*d__",
    "~~a ",
    "`",
    "`a``b```",
    "<a ",
    "<!--",
    "<?",
    "&",
    "&amp;",
    "|",
    "a|",
    "> ",
    ">",
    "- ",
    "* ",
    "1. ",
    "+ - * ",
    "#",
    "$",
    "$a ",
    "$$",
    "\\(",
    "\\[",
    "\\",
    "\\\\(",
    "(",
    "![a](",
    "[a]: b\n",
    "http://",
    "www.a.",
    "a@b.",
    "<b>",
    "\t",
    " ",
    "\n",
    "-\n",
    "- a\n",
    "> a\n\n",
    "```\n",
    "~~~\n```\n",
    "---\n",
    "===\n",
    "a\n",
    "|-",
    "a|b\n-|-\n",
    "<div>\n",
    "\u0000",
    "\u{1f600}",
    "\r",
  ].map((unit) => [unit, (size: number) => unit.repeat(Math.ceil(size / unit.length))]),
);

/** Lists nested one level deeper per line, and quotes with a line that continues them. */
export const nested = {
  list: (depth: number) => Array.from({ length: depth }, (_, level) => `${"  ".repeat(level)}- x\n`).join(""),
  quote: (depth: number) => `${">".repeat(depth)} a\nb\n`,
  mixed: (depth: number) => `${"> - ".repeat(depth)}a\nb\n`,
  images: (depth: number) => `${"![".repeat(depth)}a${"](https://a.b)".repeat(depth)}`,
  emphasis: (depth: number) => `${"*a **b ".repeat(depth)}${"c** d*".repeat(depth)}`,
};
