// Whatever moves the page, or may: listened to once for all cards that care.
import { Hub, pageWide } from "./page.ts";

const kinds = ["wheel", "touchmove", "scroll", "keydown"] as const;

/** Calls `listener` with wheels, touches, keys and the scrolling of anything on the page, before whoever it is meant for. */
export function onGesture(listener: (event: Event) => void, signal: AbortSignal): void {
  const make = () =>
    new Hub<Event>((tell) => {
      const life = new AbortController();
      const options = { capture: true, passive: true, signal: life.signal };
      for (const kind of kinds) document.addEventListener(kind, tell, options);
      return () => life.abort();
    });
  pageWide("gestures/1", make).subscribe(listener, signal);
}
