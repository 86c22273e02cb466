// What the model had asked, with what is gone from it marked.

export interface Piece {
  text: string;
  gone: boolean;
}

/** More than this is compared as a whole: the table of a comparison grows with the square. */
const cells_max = 160_000;
/** Text that stayed is shown this far around a change. */
const context = 24;

/** `asked` in pieces, in order; `gone` is what `now` no longer has. */
export function diff(asked: string, now: string): Piece[] {
  const a = words(asked);
  const b = words(now);
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start++;
  let end = 0;
  while (end < a.length - start && end < b.length - start && a[a.length - 1 - end] === b[b.length - 1 - end])
    end++;
  const kept = middle(a.slice(start, a.length - end), b.slice(start, b.length - end));
  const pieces: Piece[] = [];
  a.forEach((text, index) => {
    const inside = index >= start && index < a.length - end;
    const gone = inside && !kept[index - start];
    const last = pieces.at(-1);
    if (last?.gone === gone) last.text += text;
    else pieces.push({ text, gone });
  });
  return pieces;
}

/** The same, with long stretches that stayed cut to what is near a change. */
export function shortDiff(asked: string, now: string): Piece[] {
  const pieces = diff(asked, now);
  return pieces.map(({ text, gone }, index) => {
    const chars = [...text];
    const head = index > 0 ? context : 0;
    const tail = index < pieces.length - 1 ? context : 0;
    const most = gone ? 8 * context : head + tail + 2 * context;
    if (chars.length <= most) return { text, gone };
    const from = gone ? 6 * context : head || context;
    const to = gone ? context : tail || (index > 0 ? 0 : context);
    return { text: `${chars.slice(0, from).join("")} … ${to ? chars.slice(-to).join("") : ""}`, gone };
  });
}

function words(text: string): string[] {
  return text.match(/[\p{L}\p{N}_]+|\s+|./gsu) ?? [];
}

/** Which of `a` is in the longest common subsequence of both. */
function middle(a: readonly string[], b: readonly string[]): boolean[] {
  const kept = new Array<boolean>(a.length).fill(false);
  if (a.length * b.length > cells_max) return kept;
  const width = b.length + 1;
  const longest = new Uint16Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; i--)
    for (let j = b.length - 1; j >= 0; j--)
      longest[i * width + j] =
        a[i] === b[j]
          ? longest[(i + 1) * width + j + 1]! + 1
          : Math.max(longest[(i + 1) * width + j]!, longest[i * width + j + 1]!);
  for (let i = 0, j = 0; i < a.length && j < b.length; ) {
    if (a[i] === b[j]) {
      kept[i++] = true;
      j++;
    } else if (longest[(i + 1) * width + j]! >= longest[i * width + j + 1]!) i++;
    else j++;
  }
  return kept;
}
