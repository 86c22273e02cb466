/**
 * Character references, decoded without an HTML parser.
 * Names outside this list stay as written: a model that writes `&bigcirc;` gets to see it.
 */

const NAMED: ReadonlyMap<string, string> = new Map(
  (
    'amp & AMP & lt < LT < gt > GT > quot " QUOT " apos \' nbsp \u00a0 ndash \u2013 mdash \u2014 hellip \u2026 ' +
    "lsquo \u2018 rsquo \u2019 ldquo \u201c rdquo \u201d laquo \u00ab raquo \u00bb bull \u2022 middot \u00b7 " +
    "sect \u00a7 para \u00b6 copy \u00a9 reg \u00ae trade \u2122 deg \u00b0 plusmn \u00b1 times \u00d7 divide \u00f7 " +
    "frac12 \u00bd frac14 \u00bc frac34 \u00be sup2 \u00b2 sup3 \u00b3 micro \u00b5 euro \u20ac pound \u00a3 " +
    "yen \u00a5 cent \u00a2 larr \u2190 uarr \u2191 rarr \u2192 darr \u2193 harr \u2194 lArr \u21d0 rArr \u21d2 " +
    "hArr \u21d4 ne \u2260 le \u2264 ge \u2265 asymp \u2248 infin \u221e sum \u2211 radic \u221a int \u222b " +
    "minus \u2212 alpha \u03b1 beta \u03b2 gamma \u03b3 delta \u03b4 lambda \u03bb mu \u03bc pi \u03c0 sigma \u03c3 " +
    "omega \u03c9 Delta \u0394 Omega \u03a9 auml \u00e4 ouml \u00f6 uuml \u00fc eacute \u00e9 egrave \u00e8 " +
    "szlig \u00df check \u2713 thinsp \u2009 lbrace { rbrace } lbrack [ rbrack ] ast * num # dollar $ lowbar _ " +
    "vert | bsol \\ colon : lpar ( rpar ) grave `"
  )
    .split(" ")
    .reduce<Array<[string, string]>>((pairs, word, index) => {
      const last = pairs.at(-1);
      if (index % 2 === 0 || last === undefined) pairs.push([word, ""]);
      else last[1] = word;
      return pairs;
    }, []),
);

const REFERENCE = /&(?:#(\d{1,7})|#[xX]([0-9a-fA-F]{1,6})|([A-Za-z][A-Za-z0-9]{1,31}));/g;

function codePoint(code: number): string {
  const invalid = code === 0 || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff);
  return invalid ? "\ufffd" : String.fromCodePoint(code);
}

/** The text with its character references replaced, in one pass: what a reference yields is never decoded again. */
export function decodeEntities(text: string): string {
  if (!text.includes("&")) return text;
  return text.replace(REFERENCE, (whole: string, decimal?: string, hex?: string, name?: string) => {
    if (decimal !== undefined) return codePoint(Number.parseInt(decimal, 10));
    if (hex !== undefined) return codePoint(Number.parseInt(hex, 16));
    return NAMED.get(name ?? "") ?? whole;
  });
}
