/** The one gate between a model's URL and an attribute of the page. */

const LINK_PROTOCOLS: ReadonlySet<string> = new Set(["http:", "https:", "mailto:"]);

/** Something a reader takes for an address: `example.com`, `www.x.io/path`, `https://...`. */
const HOST_IN_TEXT =
  /(?:^|[\s(<"'@/])((?:[\p{L}\p{N}](?:[\p{L}\p{N}-]*[\p{L}\p{N}])?\.)+[\p{L}]{2,})(?![\p{L}\p{N}])/gu;

function parse(href: string): URL | null {
  try {
    // A browser reads a backslash as a slash, so `https:\\evil.example` would name a host; CommonMark keeps it as %5C.
    return new URL(href.replaceAll("\\", "%5C"));
  } catch {
    return null;
  }
}

/**
 * The normalised URL for a link, or null when it must not become one.
 * Only absolute http, https and mailto: a relative link would address the notebook server with the reader's cookies.
 */
export function linkUrl(href: string): string | null {
  const url = parse(href);
  return url !== null && LINK_PROTOCOLS.has(url.protocol) ? url.href : null;
}

/** The URL of an image that may be loaded once the reader asks for it. */
export function imageUrl(href: string): URL | null {
  const url = parse(href);
  return url !== null && (url.protocol === "http:" || url.protocol === "https:") ? url : null;
}

function bare(host: string): string {
  return host.toLowerCase().replace(/^www\./, "");
}

/** As a reader takes it: without what cannot be seen, with ordinary dots and letters for their wide forms. */
function readable(text: string): string {
  return text.normalize("NFKC").replace(/[\p{Cf}\p{DI}]/gu, "");
}

/** The host in punycode, as the URL parser spells it, so that look-alike letters compare as different. */
function ascii(host: string): string {
  return parse(`https://${host}`)?.hostname ?? host;
}

/**
 * The host to show beside a link whose text names another one, else null.
 * `[https://bank.example](https://evil.example)` must not look like the bank.
 */
export function hostToShow(href: string, text: string): string | null {
  const url = parse(href);
  if (url === null) return null;
  const host = url.protocol === "mailto:" ? (url.pathname.split("@").pop() ?? "") : url.hostname;
  if (host === "") return null;
  for (const match of readable(text).matchAll(HOST_IN_TEXT)) {
    if (match[1] !== undefined && bare(ascii(match[1])) !== bare(host)) return host;
  }
  return null;
}

/** True for a title that could pass for an address; such a title is not shown over a link. */
export function looksLikeAddress(text: string): boolean {
  const words = readable(text);
  return /:\/\//.test(words) || words.search(HOST_IN_TEXT) >= 0;
}
