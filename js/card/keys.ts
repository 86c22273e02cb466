// Keys pressed in the card are the card's: a bare letter must never reach the notebook, where it deletes cells.
import { drawnParent } from "../dom/dom.ts";

export interface KeyActions {
  /** Stops what goes on. False: there was nothing to stop. */
  escape(): boolean;
}

/** `host` carries the attribute JupyterLab looks for; the other hosts need the event to stay here. */
export function keepKeys(host: HTMLElement, actions: KeyActions, signal: AbortSignal): void {
  host.dataset.lmSuppressShortcuts = "true";
  const onKey = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    event.stopPropagation();
    if (event.key !== "Escape" || event.defaultPrevented) return;
    event.preventDefault();
    if (!actions.escape()) leave(host);
  };
  host.addEventListener("keydown", onKey, { signal });
  // What swallowed the key going down must not let it come up elsewhere.
  host.addEventListener("keyup", (event) => event.stopPropagation(), { signal });
  host.addEventListener("keypress", (event) => event.stopPropagation(), { signal });
}

/** Gives the focus back to the cell or notebook around the card, so that its shortcuts work again. */
function leave(host: HTMLElement): void {
  const root = host.shadowRoot;
  if (root?.activeElement instanceof HTMLElement) root.activeElement.blur();
  for (let element = drawnParent(host); element; element = drawnParent(element)) {
    if (!(element instanceof HTMLElement) || !element.hasAttribute("tabindex")) continue;
    element.focus({ preventScroll: true });
    return;
  }
}
