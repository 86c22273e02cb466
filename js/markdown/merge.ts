/**
 * Brings nodes that are on the page up to date with freshly built ones, keeping the old node wherever it still fits.
 * What the reader has selected or focused in the growing end of an answer survives the next frame.
 */

function sameShell(old: Element, fresh: Element): boolean {
  if (old.localName !== fresh.localName || old.namespaceURI !== fresh.namespaceURI) return false;
  const names = fresh.getAttributeNames();
  if (old.attributes.length !== names.length) return false;
  return names.every((name) => old.getAttribute(name) === fresh.getAttribute(name));
}

function mergeText(old: Text, fresh: Text): void {
  if (old.data === fresh.data) return;
  // Appending keeps a selection inside the text; replacing would collapse it.
  if (fresh.data.startsWith(old.data)) old.appendData(fresh.data.slice(old.data.length));
  else old.data = fresh.data;
}

/** Makes `old` equal to `fresh` and returns it, or returns `fresh` when they are different kinds of node. */
export function mergeNode(old: Node, fresh: Node): Node {
  if (old instanceof Text && fresh instanceof Text) {
    mergeText(old, fresh);
    return old;
  }
  if (old instanceof HTMLElement && fresh instanceof HTMLElement && sameShell(old, fresh)) {
    mergeChildren(old, 0, Array.from(fresh.childNodes));
    return old;
  }
  return fresh;
}

/** Makes the children of `parent` from `from` on equal to `fresh`; returns the nodes that are now there. */
export function mergeChildren(parent: Node, from: number, fresh: readonly Node[]): Node[] {
  const kept: Node[] = [];
  let old: ChildNode | null = parent.childNodes[from] ?? null;
  for (const node of fresh) {
    if (old === null) {
      parent.appendChild(node);
      kept.push(node);
      continue;
    }
    const next: ChildNode | null = old.nextSibling;
    const result = mergeNode(old, node);
    if (result !== old) old.replaceWith(result);
    kept.push(result);
    old = next;
  }
  while (old !== null) {
    const next: ChildNode | null = old.nextSibling;
    old.remove();
    old = next;
  }
  return kept;
}
