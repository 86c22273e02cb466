/** Which tokens of a growing text no later text can change. */
import type { Token } from "marked";

/** Where each token starts; the last entry is the end of the last one. */
export function offsets(tokens: readonly Token[]): number[] {
  const starts = [0];
  for (const token of tokens) starts.push((starts.at(-1) ?? 0) + token.raw.length);
  return starts;
}

/** How many leading tokens no later text can change. */
export function finalCount(tokens: readonly Token[], starts: readonly number[], text: string): number {
  for (let index = tokens.length - 1; index > 0; index--) {
    const token = tokens[index] as Token;
    if (token.type === "space" || token.type === "math_open") continue;
    const start = starts[index] as number;
    const lead = /^\n*/.exec(token.raw)?.[0].length ?? 0;
    const line = text.indexOf("\n", start + lead);
    if (line < 0) continue;
    // A table or an underlined heading begins on its first line only if the second is what it looks like.
    const underlined = token.type === "heading" && token.raw.trimEnd().includes("\n", lead);
    if (underlined && text.indexOf("\n", start + token.raw.trimEnd().length) < 0) continue;
    if (token.type === "table" && text.indexOf("\n", line + 1) < 0) continue;
    // A formula on several lines is one only once its closing line is complete.
    if (token.type === "math" && !token.raw.endsWith("\n")) continue;
    // The title of a definition may follow on the next lines.
    if (tokens[index - 1]?.type === "def" && /^[ \t]*["'(]/.test(token.raw)) continue;
    return index;
  }
  return 0;
}
