/** marked's inline tokens to nodes. Everything the model wrote arrives as text or passes a gate first. */
import type { MarkedToken, Token } from "marked";
import { h } from "../dom/dom.ts";
import { LineSpans } from "./code.ts";
import { decodeEntities } from "./entities.ts";
import { remoteImage } from "./images.ts";
import { MAX_DEPTH } from "./limits.ts";
import type { MathToken } from "./math_syntax.ts";
import { hostToShow, linkUrl, looksLikeAddress } from "./urls.ts";

/** Raw HTML that becomes an element, when it is written without attributes. All other HTML is shown as text. */
const HTML_ELEMENTS: ReadonlySet<string> = new Set(
  "br sub sup kbd mark b i u s em strong small q del ins code".split(" "),
);
const HTML_TAG = /^<(\/?)([a-zA-Z]+)\s*(\/?)>$/;
const HTML_TAGS = /(<\/?[a-zA-Z]+\s*\/?>)/;

/** Where inline content goes: a depth, and the link it is inside of, if any. */
interface Place {
  depth: number;
  /** Controls may not sit inside a link: they are put after it. */
  afterLink: Node[] | null;
}

/** Adds the nodes for `tokens` to `parent`. */
export function appendInline(parent: Node, tokens: readonly Token[]): void {
  append(parent, tokens, { depth: 0, afterLink: null });
}

function append(parent: Node, tokens: readonly Token[], place: Place): void {
  if (place.depth > MAX_DEPTH) {
    for (const token of tokens) appendText(parent, token.raw);
    return;
  }
  const inner: Place = { ...place, depth: place.depth + 1 };
  const html = new HtmlStack(parent, MAX_DEPTH - place.depth);
  for (const token of tokens) appendToken(html, token as MarkedToken | MathToken, inner);
}

function appendText(parent: Node, source: string): void {
  if (source === "") return;
  const last = parent.lastChild;
  // A line end is shown, so one after a break would be a second.
  const text = last?.nodeName === "BR" ? source.replace(/^ *\n/, "") : source;
  if (last instanceof Text) last.appendData(text);
  else parent.appendChild(document.createTextNode(text));
}

function appendToken(html: HtmlStack, token: MarkedToken | MathToken, place: Place): void {
  const parent = html.top;
  switch (token.type) {
    case "text":
      if ("tokens" in token && token.tokens) append(parent, token.tokens, place);
      else appendText(parent, decodeEntities(token.text));
      return;
    case "escape":
      appendText(parent, token.text);
      return;
    case "strong":
    case "em":
    case "del": {
      const element = h(token.type);
      append(element, token.tokens, place);
      parent.appendChild(element);
      return;
    }
    case "codespan":
      parent.appendChild(h("code", null, token.text));
      return;
    case "br":
      parent.appendChild(h("br"));
      return;
    case "html":
      html.tag(token.raw);
      return;
    case "link":
      appendLink(parent, token, place);
      return;
    case "image": {
      const image = remoteImage(
        decodeEntities(token.href),
        plainText(token.tokens ?? []) || decodeEntities(token.text),
      );
      if (place.afterLink === null) {
        parent.appendChild(image);
        return;
      }
      appendText(parent, plainText(token.tokens ?? []) || "image");
      place.afterLink.push(image);
      return;
    }
    case "checkbox":
      parent.appendChild(checkbox(token.checked));
      appendText(parent, " ");
      return;
    case "math":
    case "math_open":
      parent.appendChild(mathSource(token as MathToken));
      return;
    default:
      if ((token as Token).type === "rest")
        new PlainPieces(parent as HTMLElement).append((token as Token).raw);
      else appendText(parent, (token as Token).raw);
  }
}

/** Text shown as it came. Long text is cut into blocks so that layout stays local while it grows. */
export function appendPlain(parent: Node, text: string): void {
  if (text.length < 2 * PLAIN_PIECE) appendText(parent, text);
  else new PlainPieces(parent as HTMLElement).append(text);
}

const PLAIN_PIECE = 4_096;
const PLAIN_PIECE_MAX = 5_120;

/** Long unformatted text in blocks of about PLAIN_PIECE characters; where they end depends on the text alone. */
export class PlainPieces {
  #text = "";
  #open: Text | null = null;

  readonly #parent: HTMLElement;

  constructor(parent: HTMLElement) {
    this.#parent = parent;
  }

  append(text: string): void {
    this.#text += text;
    while (this.#text.length > PLAIN_PIECE_MAX) {
      const space = this.#text.slice(PLAIN_PIECE, PLAIN_PIECE_MAX).search(/\s/);
      const length = space < 0 ? PLAIN_PIECE_MAX : PLAIN_PIECE + space + 1;
      this.#show(this.#text.slice(0, length));
      this.#open = null;
      this.#text = this.#text.slice(length);
    }
    this.#show(this.#text);
  }

  #show(text: string): void {
    if (text === "") return;
    if (this.#open === null) {
      this.#open = document.createTextNode("");
      this.#parent.append(h("span", { class: "gs-lines" }, this.#open));
    }
    if (this.#open.length > text.length) this.#open.data = text;
    else this.#open.appendData(text.slice(this.#open.length));
  }
}

function appendLink(parent: Node, token: Extract<MarkedToken, { type: "link" }>, place: Place): void {
  const url = linkUrl(token.autolink === true ? token.href : decodeEntities(token.href));
  if (url === null || place.afterLink !== null) {
    append(parent, token.tokens, place);
    return;
  }
  const title = decodeEntities(token.title ?? "");
  const link = h("a", {
    href: url,
    rel: "noopener noreferrer nofollow",
    target: "_blank",
    title: !looksLikeAddress(title) && (title || null),
  });
  const after: Node[] = [];
  if (token.autolink === true) link.textContent = token.text;
  else append(link, token.tokens, { ...place, afterLink: after });
  parent.appendChild(link);
  const host = hostToShow(url, link.textContent ?? "");
  if (host !== null) parent.appendChild(h("span", { class: "gs-host" }, ` (${host})`));
  for (const node of after) parent.appendChild(node);
}

/** The words of inline tokens, for labels. */
export function plainText(tokens: readonly Token[]): string {
  let text = "";
  for (const token of tokens) {
    if ("tokens" in token && token.tokens !== undefined) text += plainText(token.tokens);
    else if (token.type === "escape" || token.type === "codespan") text += token.text;
    else if (token.type === "br") text += " ";
    else text += decodeEntities("text" in token ? token.text : token.raw);
  }
  return text;
}

/** A task list's box: it shows, it cannot be set. */
export function checkbox(checked: boolean): HTMLInputElement {
  return h("input", { type: "checkbox", disabled: true, checked });
}

/** A formula's source, as shown until the math module draws it. */
export function mathSource(token: MathToken): HTMLElement {
  const display = token.display ? "gs-math gs-math-display" : "gs-math";
  return h("span", { class: token.type === "math_open" ? "gs-source" : display }, token.raw.trim());
}

/** Open inline HTML elements of one run of text; what is still open at its end closes there. */
class HtmlStack {
  readonly #open: Node[];

  readonly #room: number;

  constructor(parent: Node, room: number) {
    this.#room = room;
    this.#open = [parent];
  }

  get top(): Node {
    return this.#open[this.#open.length - 1] as Node;
  }

  tag(raw: string): void {
    const match = HTML_TAG.exec(raw);
    const name = match?.[2]?.toLowerCase() ?? "";
    if (match === null || !HTML_ELEMENTS.has(name)) {
      appendText(this.top, raw);
      return;
    }
    if (match[1] === "/") {
      const at = this.#open.findLastIndex((node, index) => index > 0 && (node as Element).localName === name);
      if (at < 0) appendText(this.top, raw);
      else this.#open.length = at;
      return;
    }
    if (name !== "br" && this.#open.length > this.#room) {
      appendText(this.top, raw);
      return;
    }
    const element = h(name as "b");
    this.top.appendChild(element);
    if (name !== "br") this.#open.push(element);
  }
}

/** Raw block HTML: shown as text, except for the elements that inline HTML may use. */
export function appendHtmlBlock(parent: HTMLElement, raw: string): void {
  const text = raw.replace(/\n+$/, "");
  if (text.length > PLAIN_PIECE) {
    new LineSpans(parent).append(text.split("\n"));
    return;
  }
  const html = new HtmlStack(parent, MAX_DEPTH);
  for (const piece of text.split(HTML_TAGS)) {
    if (HTML_TAG.test(piece)) html.tag(piece);
    else appendText(html.top, piece);
  }
}
