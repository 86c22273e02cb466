/** The Copy button of a code block, and the way to the clipboard where the modern one is closed. */
import { codeText } from "./code.ts";

const SHOWN_MS = 1_600;

/** navigator.clipboard is missing without a secure context and refused in some notebook frames. */
async function copyText(text: string, near: Element): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyBySelection(text, near);
  }
}

function copyBySelection(text: string, near: Element): boolean {
  const focused = (near.getRootNode() as Document | ShadowRoot).activeElement;
  const area = document.createElement("textarea");
  area.className = "gs-clipboard";
  area.readOnly = true;
  area.value = text;
  near.append(area);
  area.select();
  const copied = document.execCommand("copy");
  area.remove();
  if (focused instanceof HTMLElement) focused.focus({ preventScroll: true });
  return copied;
}

/** Copies the code of the button's block and says on the button how that went. */
export async function copyCode(button: HTMLButtonElement, signal: AbortSignal): Promise<void> {
  const block = button.closest(".gs-code");
  const code = block?.querySelector("pre code");
  if (!block || !code) return;
  const copied = await copyText(codeText(code), block);
  button.textContent = copied ? "Copied" : "Not copied";
  const timer = setTimeout(() => {
    button.textContent = "Copy";
  }, SHOWN_MS);
  signal.addEventListener("abort", () => clearTimeout(timer), { once: true });
}
