// CommonMark's expected HTML and our tree, both reduced to what the two have in common.

/** Where ours differs on purpose: frames around blocks, no relative links, no images before a click. */
function ours(node: Node, out: string[]): void {
  if (node instanceof Text) return void out.push(escaped(node.data));
  if (!(node instanceof HTMLElement)) return;
  const { classList } = node;
  if (classList.contains("gs-code-head") || classList.contains("gs-host")) return;
  if (classList.contains("gs-image")) {
    const alt = node.querySelector(".gs-image-alt")?.textContent ?? "";
    out.push(`[${alt.replace(/^Image(: )?/, "").replace(/ \(not shown.*$/, "")}]`);
    return;
  }
  if (node.localName === "div" || node.localName === "span") {
    for (const child of node.childNodes) ours(child, out);
    return;
  }
  wrap(node, out, ours, node.localName === "a" ? ` href="${node.getAttribute("href")}"` : list(node));
}

function theirs(node: Node, out: string[]): void {
  if (node instanceof Text) return void out.push(escaped(node.data));
  if (!(node instanceof HTMLElement)) return;
  if (node.localName === "img") return void out.push(`[${node.getAttribute("alt") ?? ""}]`);
  if (node.localName === "a") {
    const href = node.getAttribute("href") ?? "";
    if (!/^(https?|mailto):/i.test(href)) {
      for (const child of node.childNodes) theirs(child, out);
      return;
    }
    wrap(node, out, theirs, ` href="${(node as HTMLAnchorElement).href}"`);
    return;
  }
  wrap(node, out, theirs, list(node));
}

function list(node: HTMLElement): string {
  return node.hasAttribute("start") ? ` start="${node.getAttribute("start")}"` : "";
}

function escaped(text: string): string {
  return text.replace(/&/g, "&amp;").replace(/</g, "&lt;");
}

function wrap(
  node: HTMLElement,
  out: string[],
  walk: (node: Node, out: string[]) => void,
  attributes: string,
): void {
  const language = node.localName === "code" && node.className !== "" ? ` class="${node.className}"` : "";
  out.push(`<${node.localName}${attributes}${language}>`);
  for (const child of node.childNodes) walk(child, out);
  out.push(`</${node.localName}>`);
}

/** White space between blocks and around line breaks does not show. */
function squash(text: string): string {
  const pieces = text.split(/(<pre>.*?<\/pre>)/s);
  return pieces
    .map((piece) =>
      piece.startsWith("<pre>")
        ? piece
        : piece
            .replace(/\s+/g, " ")
            .replace(
              / ?(<\/?(?:p|ul|ol|li|blockquote|h[1-6]|hr|br|table|thead|tbody|tr|th|td)\b[^>]*>) ?/g,
              "$1",
            ),
    )
    .join("")
    .replace(/ (?=<pre>)|(?<=<\/pre>) /g, "")
    .trim();
}

export function reduceOurs(root: HTMLElement): string {
  const out: string[] = [];
  for (const child of root.childNodes) ours(child, out);
  return squash(out.join(""));
}

export function reduceTheirs(html: string): string {
  const out: string[] = [];
  const body = new DOMParser().parseFromString(html, "text/html").body;
  for (const child of body.childNodes) theirs(child, out);
  return squash(out.join(""));
}
