// The way to the clipboard, which not every notebook host allows.
import { focusNear } from "./dom.ts";

/** Whether the text is on the clipboard. `near` is where a helper element may stand for a moment. */
export async function copyText(text: string, near: Element): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyBySelection(text, near);
  }
}

/** For pages without a secure context, where navigator.clipboard does not exist. */
function copyBySelection(text: string, near: Element): boolean {
  const focused = focusNear(near);
  const area = document.createElement("textarea");
  area.style.cssText = "position:fixed;opacity:0";
  area.readOnly = true;
  area.value = text;
  near.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  if (focused instanceof HTMLElement) focused.focus({ preventScroll: true });
  return done;
}
