/** Bounds that keep one answer from freezing the page. All of them depend on the text alone, never on timing. */

/** Containers and emphasis deeper than this are shown as text; 5 kB of `>` used to crash the tab. */
export const MAX_DEPTH = 32;

/** One paragraph is formatted up to here; what follows is shown as it came. */
export const MAX_INLINE = 32_768;

/** Text with more emphasis marks than this is not formatted: the parser's cost grows with their square. */
export const MAX_MARKS = 1_500;

/** A paragraph with a longer word before an @ is not formatted: from each of its letters on it may be an address. */
export const MAX_WORD = 1_000;

/** A quote in which lines without its mark come between others more often than this ends there, and another begins. */
export const MAX_LAZY = 64;

/** A larger open block is parsed again only after growing by GROWTH, which keeps the total linear. */
export const REPARSE_ABOVE = 8_192;
export const GROWTH = 1.15;

/** The same holds for a small block that took this long. */
export const SLOW_PARSE_MS = 3;

/**
 * The parser is given no more than this at once. A quote, an item or raw HTML that has not ended by then ends there, and
 * what follows is read as text of its own: so nothing the parser does costs more than in proportion to the text.
 */
export const MAX_PASS = 65_536;

/** A block is built again this often for definitions that come after it, and once more at the end. */
export const MAX_REBUILDS = 8;

/** Blocks per slab, which layout may skip as a whole. Skipping single blocks costs more than it saves. */
export const SLAB_BLOCKS = 32;

/** Lines per span of a code block: one text node that grows makes layout quadratic. */
export const SPAN_LINES = 64;

/** Characters taken from what was written before the parser looks again. */
export const SLICE = 4_096;

/** Longer code stays plain. */
export const MAX_HIGHLIGHT = 40_000;

/** Longer formulas stay source text. */
export const MAX_MATH = 4_000;

/** Of a growing text at most so much is held back until it is clear what it begins. */
export const MAX_HELD = 160;

/** The same for what has no use in part: an address, the header of a table. */
export const MAX_HELD_WHOLE = 2_048;
