// What a reader may ask for after a run that did not end well.
import { button, focusNear, h } from "../dom/dom.ts";
import { Once } from "../dom/once.ts";
import { visibleText } from "../parts/values.ts";
import type { Offer } from "../protocol.ts";
import type { RunEntry } from "../state/entry.ts";
import type { CardContext } from "./context.ts";

const words: Record<Offer, string> = {
  repair: "Repair and try again",
  continue: "Continue",
  anew: "Try again",
};

/** The style sheet hides it where another run follows; without a kernel nobody would hear a click. */
export class Offers {
  readonly root = h("div", { class: "offers" });
  readonly #run: RunEntry;
  readonly #context: CardContext;
  readonly #shown = new Once();

  constructor(run: RunEntry, context: CardContext) {
    this.#run = run;
    this.#context = context;
  }

  paint(): void {
    const { ended, id, state } = this.#run;
    const { source, signal } = this.#context;
    const { again } = source.link(id);
    const offers = ended && source.live ? (state.offers ?? []) : [];
    if (!this.#shown.isNew(JSON.stringify([offers, again]))) return;
    if (this.root.contains(focusNear(this.root))) this.#context.focusCard();
    const disabled = again?.refused === null;
    const ask = (how: Offer) => source.act({ op: "again", run: id, how });
    this.root.replaceChildren(
      ...offers.map((how) => button({ disabled }, () => ask(how), signal, words[how] ?? how)),
    );
    if (!again?.refused) return;
    this.root.append(h("span", { class: "facts" }, visibleText(again.refused)));
    if (source.link(id).say(`refused: ${again.refused}`)) this.#context.alert(again.refused);
  }
}
