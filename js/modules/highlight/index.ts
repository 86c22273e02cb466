/** Colours for code. Loaded when a code block with a language is first finished. */
import type { Emitter, HLJSApi, HLJSOptions } from "highlight.js";
import hljs from "highlight.js/lib/core";
import bash from "highlight.js/lib/languages/bash";
import css from "highlight.js/lib/languages/css";
import javascript from "highlight.js/lib/languages/javascript";
import json from "highlight.js/lib/languages/json";
import julia from "highlight.js/lib/languages/julia";
import python from "highlight.js/lib/languages/python";
import r from "highlight.js/lib/languages/r";
import shell from "highlight.js/lib/languages/shell";
import sql from "highlight.js/lib/languages/sql";
import typescript from "highlight.js/lib/languages/typescript";
import xml from "highlight.js/lib/languages/xml";
import yaml from "highlight.js/lib/languages/yaml";
import type { Job } from "../../markdown/enhance.ts";
import style from "./highlight.css";

export { style as css };

/** A piece of code and its class, "" for none. */
type Piece = readonly [text: string, kind: string];

/** A page may hold another highlight.js with settings of its own. */
const engine: HLJSApi = hljs.newInstance();

const LANGUAGES = { bash, css, javascript, json, julia, python, r, shell, sql, typescript, xml, yaml };
const ALIASES: Readonly<Record<string, string>> = {
  ipython: "python",
  ipython3: "python",
  py3: "python",
  python3: "python",
  zsh: "bash",
  terminal: "shell",
  jsonc: "json",
  json5: "json",
  jsonl: "json",
  sqlite: "sql",
  postgresql: "sql",
  mysql: "sql",
};

/** highlight.js's many scopes as the few kinds the stylesheet knows. The first part of a scope decides. */
const KINDS: Readonly<Record<string, string>> = {
  keyword: "keyword",
  operator: "",
  "meta.prompt": "meta",
  meta: "meta",
  doctag: "meta",
  section: "title",
  string: "string",
  char: "string",
  regexp: "string",
  subst: "",
  comment: "comment",
  quote: "comment",
  number: "literal",
  literal: "literal",
  symbol: "literal",
  title: "title",
  name: "keyword",
  tag: "",
  "selector-tag": "keyword",
  "selector-class": "title",
  "selector-id": "title",
  "selector-pseudo": "title",
  "selector-attr": "attribute",
  built_in: "built_in",
  type: "built_in",
  attr: "attribute",
  attribute: "attribute",
  property: "attribute",
  variable: "variable",
  "template-variable": "variable",
  params: "",
  deletion: "deletion",
  addition: "addition",
};

function kindOf(scope: string): string {
  return KINDS[scope] ?? KINDS[scope.split(".", 1)[0] as string] ?? "";
}

/** Collects pieces of text instead of building HTML. */
class PieceEmitter implements Emitter {
  readonly pieces: Array<[string, string]> = [];
  private readonly kinds: string[] = [];

  addText(text: string): void {
    this.push(text, this.kinds.at(-1) ?? "");
  }

  openNode(scope: string): void {
    // An inner scope without a colour keeps the outer one's, except code inside a string.
    const inherited = scope === "subst" ? "" : (this.kinds.at(-1) ?? "");
    this.kinds.push(kindOf(scope) || inherited);
  }

  closeNode(): void {
    this.kinds.pop();
  }

  startScope(scope: string): void {
    this.openNode(scope);
  }

  endScope(): void {
    this.closeNode();
  }

  __addSublanguage(inner: Emitter): void {
    for (const [text, kind] of (inner as unknown as PieceEmitter).pieces) {
      this.push(text, kind || (this.kinds.at(-1) ?? ""));
    }
  }

  finalize(): void {}

  toHTML(): string {
    return "";
  }

  private push(text: string, kind: string): void {
    if (text === "") return;
    const last = this.pieces.at(-1);
    if (last !== undefined && last[1] === kind) last[0] += text;
    else this.pieces.push([text, kind]);
  }
}

for (const [name, language] of Object.entries(LANGUAGES)) engine.registerLanguage(name, language);
for (const [alias, name] of Object.entries(ALIASES)) engine.registerAliases(alias, { languageName: name });
engine.configure({ __emitter: PieceEmitter } as unknown as Partial<HLJSOptions>);

/** The code in pieces, or null for a language that is not here. The pieces add up to the code. */
function highlight(source: string, language: string): readonly Piece[] | null {
  if (engine.getLanguage(language) === undefined) return null;
  const result = engine.highlight(source, { language, ignoreIllegals: true });
  const { pieces } = result._emitter as unknown as PieceEmitter;
  const length = pieces.reduce((sum, [text]) => sum + text.length, 0);
  return length === source.length ? pieces : null;
}

/** Puts colours into a code block on the page, one span of lines at a time; its text stays the same. */
export function* colour(code: HTMLElement): Job {
  const pieces = highlight(code.textContent ?? "", code.className.replace(/^language-/, ""));
  if (pieces === null) return;
  yield;
  const rest = pieces.values();
  let text = "";
  let kind = "";
  for (const span of Array.from(code.children)) {
    let room = span.textContent?.length ?? 0;
    const nodes: Node[] = [];
    while (room > 0) {
      if (text === "") {
        const next = rest.next();
        if (next.done) break;
        [text, kind] = next.value;
        continue;
      }
      const part = text.slice(0, room);
      nodes.push(pieceNode(part, kind));
      room -= part.length;
      text = text.slice(part.length);
    }
    // Pieces that lost text must not lose the reader's.
    if (room === 0) span.replaceChildren(...nodes);
    yield;
  }
}

function pieceNode(text: string, kind: string): Node {
  if (kind === "") return document.createTextNode(text);
  const span = document.createElement("span");
  span.className = `gs-hl-${kind}`;
  span.textContent = text;
  return span;
}
