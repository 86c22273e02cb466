/** Formulas as MathML. Loaded when a formula is first finished. */
import temml from "temml";
import type { Job } from "../../markdown/enhance.ts";
import css from "./math.css";

export { css };

/** em and pt: a formula may not cover the page around it. Temml 0.13.5 does not hold `\rule` to this. */
const MAX_SIZE: [number, number] = [10, 120];
const LENGTH = /(-?\d*\.?\d+(?:e[+-]?\d+)?)(em|ex|rem|px|pt|mu|cm|mm|in|pc|vw|vh|vmin|vmax)\b/gi;
const RELATIVE = /^(?:em|ex|rem|mu)$/i;
const MAX_EXPAND = 500;

const MATHML = "http://www.w3.org/1998/Math/MathML";

/** What a formula's elements may carry. `\label` would set an id and `\ref` a link, both with the model's words. */
const ATTRIBUTES: ReadonlySet<string> = new Set(
  (
    "class style display displaystyle scriptlevel mathvariant mathsize mathcolor mathbackground stretchy symmetric fence " +
    "separator form lspace rspace minsize maxsize movablelimits accent accentunder linethickness width height depth " +
    "voffset notation columnalign rowalign columnspacing rowspacing columnlines rowlines columnspan rowspan frame " +
    "align largeop linebreak"
  ).split(" "),
);

/** Lengths cut to MAX_SIZE; a length relative to the window is none a formula needs. */
function bounded(value: string): string {
  return value.replace(LENGTH, (whole: string, number: string, unit: string) => {
    const limit = RELATIVE.test(unit) ? MAX_SIZE[0] : MAX_SIZE[1];
    if (/^v/i.test(unit)) return "0em";
    const size = Number(number);
    if (Math.abs(size) <= limit && /^(?:em|ex|rem|px|pt|mu)$/i.test(unit)) return whole;
    return `${Math.sign(size) * Math.min(Math.abs(size), limit)}${RELATIVE.test(unit) ? unit : "pt"}`;
  });
}

/** Takes away what must not come from a model's text. False when the tree holds an element that may not be there. */
function clean(element: Element): boolean {
  if (element.namespaceURI !== MATHML && element.localName !== "span") return false;
  for (const name of element.getAttributeNames()) {
    const value = element.getAttribute(name) ?? "";
    const unsafe = name === "style" && /url\(|position|z-index/i.test(value);
    if (!ATTRIBUTES.has(name) || unsafe) element.removeAttribute(name);
    else if (bounded(value) !== value) element.setAttribute(name, bounded(value));
  }
  return Array.from(element.children).every(clean);
}

/** The formula, or null when it cannot be read. */
function render(source: string, display: boolean): Element | null {
  const holder = document.createElement("span");
  try {
    temml.render(source, holder, {
      displayMode: display,
      throwOnError: true,
      trust: false,
      strict: false,
      maxSize: MAX_SIZE,
      maxExpand: MAX_EXPAND,
    });
  } catch {
    return null;
  }
  const math = holder.firstElementChild;
  return math !== null && holder.childElementCount === 1 && math.localName === "math" && clean(math)
    ? math
    : null;
}

/** A formula without its delimiters. */
function sourceOf(raw: string): string {
  const text = raw.trim();
  const width = text.startsWith("$$") || text.startsWith("\\") ? 2 : 1;
  return text.slice(width, -width);
}

/** Draws a formula. Its source stays in the page, hidden, as what is copied; the MathML is what is read out. */
export function* draw(formula: HTMLElement): Job {
  const raw = formula.textContent ?? "";
  const math = render(sourceOf(raw), formula.classList.contains("gs-math-display"));
  if (math === null) return;
  const source = document.createElement("span");
  source.className = "gs-math-source";
  source.setAttribute("aria-hidden", "true");
  source.textContent = raw;
  formula.title = raw;
  formula.replaceChildren(source, math);
  yield;
}
