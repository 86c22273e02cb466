// Builds elements. Text goes in as text nodes; there is no way to pass markup.

export type Child = Node | string | null | undefined | false;

type Props = { [name: string]: string | number | boolean | null | undefined };

/** An element with attributes (`class`, `title`, `aria-label`, ...; false and null leave one out) and children. */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  props?: Props | null,
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === false || value === null || value === undefined) continue;
    element.setAttribute(name, value === true ? "" : String(value));
  }
  for (const child of children) if (child) element.append(child);
  return element;
}

export function button(
  props: Props,
  onClick: () => void,
  signal: AbortSignal,
  ...children: Child[]
): HTMLButtonElement {
  const element = h("button", { type: "button", ...props }, ...children);
  element.addEventListener("click", onClick, { signal });
  return element;
}

/** Writes only when it differs: an untouched node keeps the reader's selection and wakes no observer. */
export function setText(node: Node, text: string): void {
  if (node.textContent !== text) node.textContent = text;
}

export function toggleAttribute(element: Element, name: string, value: string | null): void {
  if (value === null) element.removeAttribute(name);
  else if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

/** What has the focus, seen from where `near` is: inside the same shadow root. */
export function focusNear(near: Node): Element | null {
  return (near.getRootNode() as ShadowRoot | Document).activeElement;
}

/** The parent as the page is drawn: out of shadow roots and through slots. */
export function drawnParent(node: Node): Element | null {
  if (node instanceof Element && node.assignedSlot) return node.assignedSlot;
  const parent = node.parentNode;
  return parent instanceof ShadowRoot ? parent.host : parent instanceof Element ? parent : null;
}

/** The node where a selection of text starts, seen from inside a shadow root where the browser allows it. */
export function selectionIn(root: ShadowRoot | Document): Node | null {
  const own = (root as { getSelection?: () => Selection | null }).getSelection?.();
  const selection = own ?? document.getSelection();
  return selection && !selection.isCollapsed ? selection.anchorNode : null;
}
