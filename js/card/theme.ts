// Light or dark, decided by what the host really paints, since no two notebook hosts say it the same way.
import { drawnParent } from "../dom/dom.ts";
import { Hub, pageWide } from "../dom/page.ts";

/** A theme arrives in steps: the attribute first, its style sheet later. */
const later_ms = [100, 600];

/** Sets color-scheme on `host` and keeps it right when the page's theme changes. */
export function followTheme(host: HTMLElement, signal: AbortSignal): void {
  const apply = () => {
    const scheme = isDark(host) ? "dark" : "light";
    if (host.style.colorScheme !== scheme) host.style.colorScheme = scheme;
  };
  pageWide("theme/1", () => new Hub<void>(watchPage)).subscribe(apply, signal);
  apply();
  // A card may come to the page in the middle of such a change.
  const timers = later_ms.map((delay_ms) => setTimeout(apply, delay_ms));
  signal.addEventListener("abort", () => timers.forEach(clearTimeout));
}

/** Tells when the page's theme may have changed; gives what ends it. */
function watchPage(tell: () => void): () => void {
  let later: ReturnType<typeof setTimeout>[] = [];
  const changed = () => {
    later.forEach(clearTimeout);
    tell();
    later = later_ms.map((delay_ms) => setTimeout(tell, delay_ms));
  };
  const observer = new MutationObserver(changed);
  for (const element of [document.documentElement, document.body])
    observer.observe(element, { attributes: true }); // each host marks its theme in its own way
  const preference = matchMedia("(prefers-color-scheme: dark)");
  preference.addEventListener("change", changed);
  return () => {
    observer.disconnect();
    preference.removeEventListener("change", changed);
    later.forEach(clearTimeout);
  };
}

/** The background our own tokens resolve to where the host has tokens, else the first one painted around us. */
function isDark(host: HTMLElement): boolean {
  const probe = document.createElement("span");
  // Inside the shadow root: a child beside it is not drawn and has no computed style.
  (host.shadowRoot ?? host).append(probe);
  const style = getComputedStyle(host);
  const tokens = ["--jp-layout-color0", "--vscode-editor-background"].map((name) =>
    style.getPropertyValue(name),
  );
  let light = luminance(probe, tokens.find((token) => token.trim()) ?? "");
  for (let element = drawnParent(host); element && light === null; element = drawnParent(element))
    light = luminance(probe, getComputedStyle(element).backgroundColor);
  probe.remove();
  return light === null ? matchMedia("(prefers-color-scheme: dark)").matches : light < 0.5;
}

/** 0 is black, 1 is white; null for a colour that lets most of what is behind it through, and for none. */
function luminance(probe: HTMLElement, color: string): number | null {
  // However a colour is written, this is what the browser makes of it: color(srgb 0.1 0.1 0.1 / 0.5).
  probe.style.color = "";
  probe.style.color = color && `color-mix(in srgb, ${color}, ${color})`;
  if (!probe.style.color) return null;
  const [red = 0, green = 0, blue = 0, alpha = 1] =
    getComputedStyle(probe)
      .color.match(/-?[\d.]+(?:e-?\d+)?/g)
      ?.map(Number) ?? [];
  return alpha < 0.5 ? null : 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}
