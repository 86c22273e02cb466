// The clock's beat of the page: one timer for all cards in which something ticks, and none when nothing does.
import { Hub, pageWide } from "./page.ts";

const beat_ms = 100;

/** Calls `listener` ten times a second with the time of `performance.now()`. */
export function onBeat(listener: (now_ms: number) => void, signal: AbortSignal): void {
  const make = () =>
    new Hub<number>((tell) => {
      const timer = setInterval(() => tell(performance.now()), beat_ms);
      return () => clearInterval(timer);
    });
  pageWide("beat/1", make).subscribe(listener, signal);
}
