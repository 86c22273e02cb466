/** The Copy button of a code block. */
import { codeText } from "./code.ts";

const SHOWN_MS = 1_600;

/** The clipboard is closed to some notebook frames; the old command still works there after a click. */
function copyByCommand(code: Element): boolean {
  const selection = document.getSelection();
  if (selection === null) return false;
  const before = selection.rangeCount > 0 ? selection.getRangeAt(0) : null;
  selection.selectAllChildren(code);
  const copied = document.execCommand("copy");
  selection.removeAllRanges();
  if (before !== null) selection.addRange(before);
  return copied;
}

/** Copies the code of the button's block and says on the button how that went. */
export async function copyCode(button: HTMLButtonElement, signal: AbortSignal): Promise<void> {
  const code = button.closest(".gs-code")?.querySelector("pre code");
  if (code === null || code === undefined) return;
  const copied = await navigator.clipboard
    .writeText(codeText(code))
    .then(
      () => true,
      () => copyByCommand(code),
    )
    .catch(() => false);
  button.textContent = copied ? "Copied" : "Not copied";
  const timer = setTimeout(() => {
    button.textContent = "Copy";
  }, SHOWN_MS);
  signal.addEventListener("abort", () => clearTimeout(timer), { once: true });
}
