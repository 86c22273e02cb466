// What is bundled of marked. marked.test.ts holds it to the whole of marked.
import { transformSync } from "esbuild";

/** marked's options as js/markdown/lexer.ts sets them for good: what they would switch on is not bundled. */
const settled = { pedantic: "!1", breaks: "!1", gfm: "!0", silent: "!1" };

/** Methods of the tokenizer of which js/markdown/lexer.ts has its own, and the rules that only they read. */
const REPLACED = /(?<=\})(?:del|fences|table)\(e(?:,\w+(?:=\w*"")?)*\)\{.*?\}(?=\w+\(e\)\{)/gs;
const UNREAD_RULE = /\b(?:delLDelim|delRDelim|del):\w+,/g;

/**
 * Only the lexer is used, but marked's one minified file goes on with the HTML renderer and ends by building its
 * convenience functions. Null for a release that looks different.
 */
export function lexerSource(source) {
  const [, head, tail] = /^(.*;)var \w+=class\{options;parser;.*;export\{([^}]*)\};/s.exec(source) ?? [];
  if (!head || !tail) return null;
  const code = head
    .replace(/\bthis\.options\.(\w+)\b/g, (whole, name) => settled[name] ?? whole)
    .replace(REPLACED, "")
    .replace(UNREAD_RULE, "");
  const names = tail.split(",").filter((name) => / as (Lexer|Tokenizer)$/.test(name));
  return withoutUnread(`${gfmRules(code)}export{${names.join(",")}};`);
}

/** A list of rules that begins as a copy of another: its name, the other's, and the rules of its own. */
const LIST = /,(\w+)=\{\.\.\.(\w+),(.*?)\}(?=,\w+=|;)/gs;

/** The rules of gfm alone, read where they stand. */
function gfmRules(source) {
  const [, other] = /\{other:(\w+),/.exec(source) ?? [];
  const [block, inline] = Array.from(source.matchAll(/,gfm:(\w+),/g), ([, name]) => name);
  if (!other || !inline) return source;
  let code = source;
  for (const [list, name, base, own] of source.matchAll(LIST)) {
    if (name !== block && name !== inline) code = code.replace(list, `,${name}={}`);
    // What gfm has its own of, it does not copy.
    else code = code.replace(new RegExp(`(?<=,${base}=\\{)[^{}]*`), (rules) => others(rules, own));
  }
  const lists = { other, block, inline };
  return code.replace(/\bthis(?:\.tokenizer)?\.rules\.(\w+)\b/g, (whole, kind) => lists[kind] ?? whole);
}

function others(rules, own) {
  const isOwn = (rule) => new RegExp(`(?:^|,)${rule.split(":")[0]}:`).test(own);
  return String(rules.split(",").filter((rule) => !isOwn(rule)));
}

/** A call that makes a rule. A bundler cannot know that it does nothing else. */
const RULE = /(?<=[,;]\w+=)\w+\((?:\/|(?:(?!getRegex)[^;])*?\)\.getRegex\(\))/g;
/** A property that is an expression, or makes one. */
const EXPRESSION =
  /(?<=[{,])(\w+):(?:\/(?:[^/\\[\n]|\\.|\[(?:[^\]\\]|\\.)*\])+\/\w*|\w+\(\w+=>new RegExp\(`[^`]*`\)\)),/g;

/** Without the rules, functions and expressions that only what is gone has read. */
function withoutUnread(source) {
  const options = { format: "esm", treeShaking: true, minifySyntax: true, minifyWhitespace: true };
  const { code } = transformSync(source.replace(RULE, "/* @__PURE__ */ $&"), options);
  const isRead = (name) => code.match(new RegExp(`\\b${name}\\b`, "g")).length > 1;
  return code.replace(EXPRESSION, (whole, name) => (isRead(name) ? whole : ""));
}

/** Properties that only marked's lexer itself reads: their long names are for its authors. */
export function privateNames(source) {
  const [texts = ""] = /\bcodeRemoveIndent:.*?nestedContainerMarkers:/s.exec(source) ?? [];
  const rules = [...texts.matchAll(/(?:^|[,{])([a-z]+[A-Z]\w*):(?=\/|\w\(|\w+=>)/g)].map(([, name]) => name);
  const inline =
    source.match(/\b\w*(?:Delim\w*|Punctuation\w*|reflinkSearch|blockSkip|CloserIndex|maskedSrc)\b/g) ?? [];
  const state =
    source.match(
      /\b(?:linkParenPossible|inRawBlock|linkEmitted|infiniteLoopError|linkInText|inlineQueue|_backpedal)\b/g,
    ) ?? [];
  return [...new Set([...rules, ...inline, ...state])];
}
