// What is bundled of marked. js/marked.test.ts holds it to the whole of marked.

/** marked's options as js/markdown/lexer.ts sets them for good: what they would switch on is not bundled. */
const settled = { pedantic: "!1", breaks: "!1", gfm: "!0", hooks: "null", silent: "!1" };

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
  const names = tail.split(",").filter((name) => / as (Lexer|Tokenizer|Hooks|defaults)$/.test(name));
  return `${code}export{${names.join(",")}};`;
}
