/**
 * Emphasis beside Chinese, Japanese and Korean.
 *
 * CommonMark asks white space or punctuation to tell where emphasis begins and ends, and these scripts put none between
 * words: in `**数据。**然后` the second mark would have to open. Here a mark that has a CJK character on either side is
 * beside letters on both, so it may open and close, as commonmark-spec#650 asks for.
 */

/** Han, kana, hangul, and the punctuation and wide forms that go with them. */
const LETTERS =
  "\\u1100-\\u11ff\\u2e80-\\u9fff\\uac00-\\ud7ff\\uf900-\\ufaff\\ufe30-\\ufe4f\\uff00-\\uffef\\u{20000}-\\u{3ffff}";

export const CJK = new RegExp(`[${LETTERS}]`, "u");

/** Punctuation that is no mark itself and is CJK, or on one side of a mark that has a CJK character on the other. */
const BESIDE = new RegExp(
  `(?![*_~\`\\\\])[\\p{P}\\p{S}](?:(?=\\*+[${LETTERS}])|(?<=[${LETTERS}](?:\\*+.)?))`,
  "gsu",
);

/** The text with letters for such punctuation, for finding where emphasis ends; the mask keeps the length. */
export function cjkMask(text: string): string {
  return text.replace(BESIDE, ({ length }) => "a".repeat(length));
}
