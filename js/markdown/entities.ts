/**
 * Character references, decoded without an HTML parser.
 * Names outside this list stay as written: a model that writes `&bigcirc;` gets to see it.
 */

const NAMED: Readonly<Record<string, string>> = {
  amp: "&", AMP: "&", lt: "<", LT: "<", gt: ">", GT: ">", quot: '"', QUOT: '"', apos: "'", nbsp: "\u00a0",
  ndash: "\u2013", mdash: "\u2014", hellip: "\u2026", lsquo: "\u2018", rsquo: "\u2019", ldquo: "\u201c",
  rdquo: "\u201d", laquo: "\u00ab", raquo: "\u00bb", bull: "\u2022", middot: "\u00b7", sect: "\u00a7",
  para: "\u00b6", copy: "\u00a9", COPY: "\u00a9", reg: "\u00ae", REG: "\u00ae", trade: "\u2122", deg: "\u00b0",
  plusmn: "\u00b1", times: "\u00d7", divide: "\u00f7", frac12: "\u00bd", frac14: "\u00bc", frac34: "\u00be",
  sup1: "\u00b9", sup2: "\u00b2", sup3: "\u00b3", micro: "\u00b5", euro: "\u20ac", pound: "\u00a3",
  yen: "\u00a5", cent: "\u00a2", larr: "\u2190", uarr: "\u2191", rarr: "\u2192", darr: "\u2193",
  harr: "\u2194", lArr: "\u21d0", rArr: "\u21d2", hArr: "\u21d4", ne: "\u2260", le: "\u2264", ge: "\u2265",
  asymp: "\u2248", infin: "\u221e", sum: "\u2211", prod: "\u220f", radic: "\u221a", int: "\u222b",
  part: "\u2202", minus: "\u2212", alpha: "\u03b1", beta: "\u03b2", gamma: "\u03b3", delta: "\u03b4",
  epsilon: "\u03b5", lambda: "\u03bb", mu: "\u03bc", pi: "\u03c0", sigma: "\u03c3", omega: "\u03c9",
  Delta: "\u0394", Omega: "\u03a9", Sigma: "\u03a3", theta: "\u03b8", phi: "\u03c6", auml: "\u00e4",
  ouml: "\u00f6", uuml: "\u00fc", Auml: "\u00c4", Ouml: "\u00d6", Uuml: "\u00dc", szlig: "\u00df",
  eacute: "\u00e9", egrave: "\u00e8", agrave: "\u00e0", aacute: "\u00e1", ccedil: "\u00e7", ntilde: "\u00f1",
  oacute: "\u00f3", check: "\u2713", star: "\u2606", thinsp: "\u2009", ensp: "\u2002", emsp: "\u2003",
  zwj: "\u200d", zwnj: "\u200c", shy: "\u00ad", lbrace: "{", rbrace: "}", lbrack: "[", rbrack: "]", ast: "*",
  num: "#", dollar: "$", percnt: "%", lowbar: "_", vert: "|", bsol: "\\", sol: "/", colon: ":", Tab: "\t",
  NewLine: "\n", lpar: "(", rpar: ")", commat: "@", excl: "!", quest: "?", equals: "=", plus: "+", grave: "`",
};

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
    return name !== undefined && Object.hasOwn(NAMED, name) ? (NAMED[name] ?? whole) : whole;
  });
}
