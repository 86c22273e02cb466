// Notices what hostile text must not do: run, add or change anything outside its card, build what we do not build.

/** Elements that the card and its modules build. */
const elements = new Set(
  (
    "a b bdi blockquote br button code dd del details div dl dt em h3 h4 h5 h6 header hr i img input kbd label li " +
    "mark ol option p path pre q section select small span strong sub summary sup svg table tbody td textarea th " +
    "thead tr ul math menclose merror mfrac mi mn mo mover mpadded mrow mspace mstyle msub msup mtable mtd mtext mtr"
  ).split(" "),
);
const attributes = new Set(
  (
    "autocomplete checked class d data-lm-suppress-shortcuts decoding dir disabled display alt focusable for hidden " +
    "href id inputmode open placeholder rel role rows scope spellcheck src start style tabindex target title type " +
    "value viewBox wrap columnspacing displaystyle form height lspace mathbackground mathcolor mathvariant " +
    "rowspacing rspace scriptlevel separator stretchy voffset width"
  ).split(" "),
);
const invisible = /\p{DI}|\p{Cf}|\p{Cs}|\p{Zl}|\p{Zp}|(?![\t\n\r])\p{Cc}/u;
const emoji = /\p{Extended_Pictographic}\ufe0f?(?:\u200d\p{Extended_Pictographic}\ufe0f?)+|\p{Emoji}\ufe0f/gu;

/** What ran, and what was changed outside the cards, since `watch` was called. */
export const seen = { ran: [] as string[], changed: [] as string[] };

export function watch(): void {
  for (const name of ["alert", "confirm", "prompt", "print", "open"] as const)
    Object.defineProperty(window, name, {
      value: (...args: unknown[]) => void seen.ran.push(`${name} ${args}`),
    });
  const cells = document.querySelector("#cells")!;
  const note = (records: MutationRecord[]) => {
    for (const { type, target, attributeName } of records)
      if (target.isConnected && !cells.contains(target))
        seen.changed.push(
          `${type} ${attributeName ?? ""} of ${(target as Element).localName ?? target.nodeName}`,
        );
  };
  const all = { subtree: true, childList: true, attributes: true, characterData: true };
  new MutationObserver(note).observe(document, all);
  window.addEventListener("securitypolicyviolation", ({ blockedURI }) =>
    seen.ran.push(`blocked ${blockedURI}`),
  );
}

/** Everything about a card that only a hostile text could have brought, in words. */
export function audit(el: Element): string[] {
  const root = el.querySelector(".gemstream")!.shadowRoot!;
  const found = new Set<string>();
  for (const element of root.querySelectorAll("*")) {
    const name = element.localName;
    if (!elements.has(name)) found.add(`element <${name}>`);
    for (const attribute of element.attributes)
      for (const fault of faults(element, attribute)) found.add(fault);
    const { position } = getComputedStyle(element);
    if (position === "fixed" && !element.matches(".bar.floating")) found.add(`<${name}> is fixed`);
    if (element.shadowRoot) found.add(`<${name}> has a shadow root`);
  }
  for (const child of el.children)
    if (!child.matches(".gemstream")) found.add(`<${child.localName}> beside the card`);
  return [...found];
}

function faults(element: Element, { name, value }: Attr): string[] {
  const where = `${element.localName} ${name}=${value.slice(0, 60)}`;
  if (name.startsWith("on")) return [`handler: ${where}`];
  if (!attributes.has(name) && !name.startsWith("aria-")) return [`attribute: ${where}`];
  switch (name) {
    case "href":
      return element.localName === "a" && /^(https?|mailto):/.test(value) ? [] : [`address: ${where}`];
    case "src":
      return element.localName === "img" && value.startsWith(`blob:${location.origin}/`)
        ? []
        : [`address: ${where}`];
    case "target":
      return value === "_blank" && element.getAttribute("rel")?.includes("noopener")
        ? []
        : [`target: ${where}`];
    case "style":
      return /url|expression|import|position|z-index|\\|content/i.test(value) ? [`style: ${where}`] : [];
    case "class":
      return /^[\w+#. -]*$/.test(value) ? [] : [`class: ${where}`];
    case "id":
      return /^gs-(field|rule|held)-\d+(-\w+)?$/.test(value) ? [] : [`id: ${where}`];
    default:
      return [];
  }
}

/**
 * Characters nobody can see in what the card says itself: names, arguments, results, states. Prose and code are the
 * model's own text, and what is typed in a control is spelled out beside it.
 */
export function unspelled(el: Element): string[] {
  const root = el.querySelector(".gemstream")!.shadowRoot!;
  const found = new Set<string>();
  const check = (where: string, text: string) => {
    if (invisible.test(text.replace(emoji, ""))) found.add(`${where}: ${JSON.stringify(text.slice(0, 80))}`);
  };
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const parent = node.parentElement!;
    if (!parent.closest(".prose, textarea, .sr"))
      check(parent.className || parent.localName, node.nodeValue!);
  }
  for (const control of root.querySelectorAll<HTMLInputElement>("input, textarea")) {
    if (!invisible.test(control.value)) continue;
    const note = control.closest(".cell")?.querySelector('[id$="-plain"]:not([hidden]) .odd');
    if (!note) found.add(`nothing spells out ${JSON.stringify(control.value.slice(0, 80))}`);
  }
  for (const element of root.querySelectorAll("[title]:not(.prose *), [placeholder], [download]"))
    for (const name of ["title", "placeholder", "download"])
      check(`${name} of ${element.className}`, element.getAttribute(name) ?? "");
  return [...found];
}

/** What a reader can come to. Nothing else listens: `audit` finds every handler in the markup. */
const reachable = "a, button, summary, input, select, textarea, [tabindex], img, label";

/** All that a reader might do, except what asks for an address on purpose. */
export function poke(el: Element): void {
  const root = el.querySelector(".gemstream")!.shadowRoot!;
  const hold = (event: Event) => {
    const link = (event.composedPath()[0] as Element).closest?.("a");
    if (link && /^(https?|mailto):/.test(link.protocol)) event.preventDefault();
  };
  document.addEventListener("click", hold, true);
  for (const details of root.querySelectorAll("details")) details.open = true;
  for (const element of root.querySelectorAll<HTMLElement>(reachable)) {
    if (element.matches(".gs-load-image")) continue;
    for (const name of [
      "pointerover",
      "mouseover",
      "mouseenter",
      "pointerdown",
      "focus",
      "focusin",
      "blur",
      "animationstart",
      "wheel",
    ])
      element.dispatchEvent(new Event(name, { bubbles: true }));
    if (element.getAttribute("aria-label")?.startsWith("Download")) continue;
    element.click?.();
  }
  document.removeEventListener("click", hold, true);
}
