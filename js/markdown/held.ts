/**
 * What is held back of a growing text: the beginning of something that would look like something else, or be half a link,
 * until the rest of it comes. What is drawn is what would be there if it had not come yet, so the finished page is the
 * same. Only the last line is looked at, and what does not become clear soon is shown as it is.
 */
import { MAX_HELD, MAX_HELD_WHOLE } from "./limits.ts";

/** A line that may begin a list, a rule, a heading, an underline or a fence, with the containers it is in. */
const BLOCK =
  /^(?:[ \t>]|[-+*][ \t]|\d{1,9}[.)][ \t])*(?:[-+*_=#~`]+|\d{1,9}[.)]?|(?:`{3,}|~{3,})[^`]*)?[ \t]*$/;
const ROW = /^[ \t>]*\|/;
const UNDER_ROW = /^[ \t>|:-]*$/;

const LINK = /!?\[[^[\]]*\](?:\((?:[^()]|\([^()]*\))*\)|\[[^[\]]*\]|(?=[^[(]))/g;
const EMPHASIS = /(\*+|_+|~~+)(?![\s*_~])[^*_~]*(?<=\S)\1/g;
/** What is whole, from the inside out: an image may be in a link, and emphasis in emphasis. */
const WHOLE = [
  /^[ \t>]*[-+*][ \t]|\\.|(?<!`)(`+)(?!`).*?(?<!`)\1(?!`)|<[a-z/!?][^<>]*>|(?:https?:\/\/|www\.)[^\s<*\])]+(?=[\s<*\])])|(?<=\w)_+(?=\w)|(?<!~)~(?!~|$)/gi,
  LINK,
  LINK,
  EMPHASIS,
  EMPHASIS,
];
/** What else looks like a mark, or like an address that goes on, has not ended. */
const OPEN =
  /`|!?\[|[!~]$|\\$|<(?:[a-z/!?]|$)|(?:https?:\/\/|www\.)\S*$|[\w.+-]{1,64}@[\w.-]*$|&#?\w{0,10}$|(?<![a-z\d*_~])(?:\*+|_+|~~+)(?![\s*_~])/gi;

/** How many characters at the end of `text`, to which more will come. */
export function heldLength(text: string): number {
  const [line = "", above = "", before = ""] = text
    .slice(-2 * MAX_HELD_WHOLE)
    .split("\n")
    .reverse();
  const whole = line.length > MAX_HELD_WHOLE ? "" : line;
  if (ROW.test(above) && !ROW.test(before) && UNDER_ROW.test(whole)) return above.length + 1 + line.length;
  if (BLOCK.test(whole) || (ROW.test(whole) && !ROW.test(above))) return whole.length;
  const marks = WHOLE.reduce((rest, mark) => rest.replace(mark, ({ length }) => ".".repeat(length)), line);
  for (const { index } of marks.matchAll(OPEN)) {
    const held = line.slice(index);
    // Half an address would lead elsewhere, and where it ends is not seen before what follows.
    const most = /(?::\/\/|www\.)\S*$/.test(held) ? MAX_HELD_WHOLE : MAX_HELD;
    if (held.length <= most) return held.length;
  }
  return 0;
}
