// Light or dark, decided by what the host really paints, since no two notebook hosts say it the same way.
import { drawnParent } from "../dom/dom.ts";

/** Sets color-scheme on `host` and keeps it right when the page's theme changes. */
export function followTheme(host: HTMLElement, signal: AbortSignal): void {
  const apply = () => {
    const scheme = isDark(host) ? "dark" : "light";
    if (host.style.colorScheme !== scheme) host.style.colorScheme = scheme;
  };
  // A theme arrives in steps: the attribute first, its style sheet later.
  let later: ReturnType<typeof setTimeout>[] = [];
  const changed = () => {
    for (const timer of later) clearTimeout(timer);
    apply();
    later = [100, 600].map((delay_ms) => setTimeout(apply, delay_ms));
  };
  const observer = new MutationObserver(changed);
  for (const element of [document.documentElement, document.body])
    observer.observe(element, { attributes: true }); // each host marks its theme in its own way
  const preference = matchMedia("(prefers-color-scheme: dark)");
  preference.addEventListener("change", changed, { signal });
  signal.addEventListener("abort", () => {
    observer.disconnect();
    for (const timer of later) clearTimeout(timer);
  });
  changed();
}

/** The background our own tokens resolve to where the host has tokens, else the first one painted around us. */
function isDark(host: HTMLElement): boolean {
  const style = getComputedStyle(host);
  for (const name of ["--jp-layout-color0", "--vscode-editor-background"]) {
    const token = style.getPropertyValue(name).trim();
    const light = token && luminance(resolved(host, token));
    if (typeof light === "number") return light < 0.5;
  }
  for (let element: Element | null = drawnParent(host); element; element = drawnParent(element)) {
    const light = luminance(getComputedStyle(element).backgroundColor);
    if (light !== null) return light < 0.5;
  }
  return matchMedia("(prefers-color-scheme: dark)").matches;
}

function resolved(host: HTMLElement, color: string): string {
  const probe = document.createElement("span");
  probe.style.color = color;
  // Inside the shadow root: a child beside it is not drawn and has no computed style.
  (host.shadowRoot ?? host).append(probe);
  const value = getComputedStyle(probe).color;
  probe.remove();
  return value;
}

/** 0 is black, 1 is white; null for a colour that lets most of what is behind it through, or one we cannot read. */
function luminance(color: string): number | null {
  const [, name, inside] = /^(rgba?|color)\(([^)]*)\)/.exec(color) ?? [];
  if (inside === undefined) return null;
  const numbers = (inside.match(/-?[\d.]+(?:e-?\d+)?%?/g) ?? []).map((part) =>
    part.endsWith("%") ? Number.parseFloat(part) / 100 : Number.parseFloat(part),
  );
  const [red = 0, green = 0, blue = 0, alpha = 1] = numbers;
  if (alpha < 0.5) return null;
  const scale = name === "color" ? 1 : 255;
  return (0.2126 * red + 0.7152 * green + 0.0722 * blue) / scale;
}
