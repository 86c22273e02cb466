// What is bundled of marked. marked.test.ts holds it to the whole of marked.

/** marked's options as js/markdown/lexer.ts sets them for good: what they would switch on is not bundled. */
const settled = { pedantic: "!1", breaks: "!1", gfm: "!0", silent: "!1" };

/**
 * Only the lexer is used, but marked's one minified file ends by building its convenience functions, which hold the whole
 * HTML renderer. Without that tail the rest can be shaken off. Null for a release that looks different.
 */
export function lexerSource(source) {
  const [, head, tail] = /^(.*;)var \w+=new \w+;function .*?;export\{([^}]*)\};/s.exec(source) ?? [];
  if (!head || !tail) return null;
  let code = head.replace(/\bthis\.options\.(\w+)\b/g, (whole, name) => settled[name] ?? whole);
  // Rules that only those options use.
  for (const [, rules] of code.matchAll(/[,{](?:breaks|pedantic):(\w+)(?=[,}])/g))
    code = code.replace(new RegExp(`,${rules}=\\{\\.\\.\\.\\w+,.*?\\}(?=,\\w+=|;)`, "s"), `,${rules}={}`);
  code = withoutUnused(code);
  const names = tail.split(",").filter((name) => / as (Lexer|Tokenizer|Hooks|defaults)$/.test(name));
  return `${code}export{${names.join(",")}};`;
}

/** A call that makes a rule, a text or an expression, with the name it gets among others. */
const RULE =
  /,(\w+)=(?:\w+\((?:(?!getRegex)[^;])*?\)\.getRegex\(\)|"(?:[^"\\]|\\.)*"|\/(?:[^/\\[\n]|\\.|\[(?:[^\]\\]|\\.)*\])+\/\w*)(?=[,;])/g;

/** Rules that nothing reads any more: a bundler cannot know that making them does nothing else. */
function withoutUnused(code) {
  for (const [rule, name] of code.matchAll(RULE)) {
    const uses = code.match(new RegExp(`(?<![\\w$.])${name}(?![\\w$:])`, "g"));
    if (uses?.length === 1) return withoutUnused(code.replace(rule, ""));
  }
  return code;
}

/** Properties that only marked's lexer itself reads: their long names are for its authors. */
export function privateNames(source) {
  const [texts = ""] = /\bcodeRemoveIndent:.*?nestedContainerMarkers:/s.exec(source) ?? [];
  const rules = [...texts.matchAll(/(?:^|[,{])([a-z]+[A-Z]\w*):(?=\/|\w\(|\w+=>)/g)].map(([, name]) => name);
  const inline =
    source.match(/\b\w*(?:Delim\w*|Punctuation\w*|reflinkSearch|blockSkip|CloserIndex|maskedSrc)\b/g) ?? [];
  const state =
    source.match(/\b(?:linkParenPossible|inRawBlock|linkEmitted|infiniteLoopError|linkInText)\b/g) ?? [];
  return [...new Set([...rules, ...inline, ...state])];
}
