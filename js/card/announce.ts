// Sentences for screen readers: one polite node for boundaries, one alert for failures. Nothing is read out twice.
import { h } from "../dom/dom.ts";

const clear_ms = 1500;

export class Announcer {
  readonly polite = h("div", { class: "sr", role: "status", "aria-live": "polite" });
  readonly urgent = h("div", { class: "sr", role: "alert" });

  announce(sentence: string): void {
    say(this.polite, sentence);
  }

  alert(sentence: string): void {
    say(this.urgent, sentence);
  }
}

/** Each sentence is a node of its own, so that only the new one is read; it goes away before it can be read again. */
function say(region: HTMLElement, sentence: string): void {
  const node = h("span", null, sentence);
  region.append(node);
  setTimeout(() => node.remove(), clear_ms);
}
