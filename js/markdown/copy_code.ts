/** The Copy button of a code block. */
import { copyText } from "../dom/clipboard.ts";
import { codeText } from "./code.ts";

const SHOWN_MS = 1_600;

/**
 * Copies the code of the button's block and says on the button how that went. Without the last line end, which a shell
 * would take for Enter: the command would run before it was read.
 */
export async function copyCode(button: HTMLButtonElement, signal: AbortSignal): Promise<void> {
  const block = button.closest(".gs-code");
  const code = block?.querySelector("pre code");
  if (!block || !code) return;
  const copied = await copyText(codeText(code).replace(/\n$/, ""), block);
  button.textContent = copied ? "Copied" : "Not copied";
  const timer = setTimeout(() => {
    button.textContent = "Copy";
  }, SHOWN_MS);
  signal.addEventListener("abort", () => clearTimeout(timer), { once: true });
}
