// What has no better picture: JSON as it came.
import { h } from "../dom/dom.ts";
import type { Json } from "../protocol.ts";
import { ValueView, visibleText } from "./values.ts";

/** A collapsed block with raw JSON. */
export function rawBlock(label: string, value: Json, signal: AbortSignal, wide = false): HTMLDetailsElement {
  const body = h("div", { class: "raw-body" });
  const root = h("details", { class: "raw" }, h("summary", null, visibleText(label)), body);
  const fill = () => {
    if (!root.open || body.firstChild) return;
    const view = new ValueView(signal, wide);
    view.update(value);
    body.append(view.root);
  };
  root.addEventListener("toggle", fill, { signal });
  return root;
}
