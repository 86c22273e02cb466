// What a reader may ask for after a run that did not end well.

import { button, h } from "../dom/dom.ts";
import { visibleText } from "../parts/values.ts";
import type { Offer } from "../protocol.ts";
import type { RunEntry } from "../state/entry.ts";
import type { CardContext } from "./context.ts";

const words: Record<Offer, string> = {
  repair: "Repair and try again",
  continue: "Continue",
  retry: "Try again",
};

/** The style sheet hides it where another run follows; without a kernel nobody would hear a click. */
export class Offers {
  readonly root = h("div", { class: "offers" });
  readonly #run: RunEntry;
  readonly #context: CardContext;
  #shown = "";

  constructor(run: RunEntry, context: CardContext) {
    this.#run = run;
    this.#context = context;
  }

  paint(): void {
    const { again, ended, id, state } = this.#run;
    const { store, signal } = this.#context;
    const asked = ended && store.heard ? (state.offers ?? []) : [];
    const shown = JSON.stringify([asked, again]);
    if (shown === this.#shown) return;
    this.#shown = shown;
    const root = this.root.getRootNode() as ShadowRoot | Document;
    if (this.root.contains(root.activeElement)) this.#context.focusCard();
    const disabled = again?.refused === null;
    this.root.replaceChildren(
      ...asked.map((how) => button({ disabled }, () => store.again(id, how), signal, words[how] ?? how)),
    );
    if (!again?.refused) return;
    this.root.append(h("span", { class: "facts" }, visibleText(again.refused)));
    this.#context.alert(again.refused);
  }
}
