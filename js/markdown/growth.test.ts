// One parse costs in proportion to its text, whatever the text is made of. What drawing costs is measured in a browser.
import { expect, it } from "vitest";
import { constructs, square } from "../../tests/browser/page/constructs.ts";
import { lex } from "./lexer.ts";
import { MAX_PASS } from "./limits.ts";

const small = MAX_PASS / 4;
/** Four times the text may cost this much more: 4 with room for what comes in steps; its square would be 16. */
const most = 7;
/** CPU milliseconds that the larger text may cost besides: what the engine does for itself comes in steps too. */
const spare_ms = 40;

/** Of this process, so that others on the machine hardly count. */
function cost_ms(run: () => void): number {
  let best = Number.POSITIVE_INFINITY;
  for (let turn = 0; turn < 3; turn++) {
    const before = process.cpuUsage();
    run();
    const { user, system } = process.cpuUsage(before);
    best = Math.min(best, (user + system) / 1000);
  }
  return best;
}

function growth(run: (size: number) => void): string {
  const [small_ms, large_ms] = [small, MAX_PASS].map((size) => cost_ms(() => run(size))) as [number, number];
  const figures = `${large_ms.toFixed(0)} ms, ${small_ms.toFixed(0)} ms for a quarter`;
  return large_ms > most * small_ms + spare_ms ? `more than in proportion: ${figures}` : "in proportion";
}

it("sees what grows with the square", () => {
  expect(growth((size) => void square(2 * size))).toMatch(/more/);
});

it.each(Object.entries(constructs))("one parse of %s costs in proportion", (_, make) => {
  expect(growth((size) => void lex(make(size), undefined, true))).toBe("in proportion");
});
