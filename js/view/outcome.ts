// How a run ended, in words: what went wrong, what to know, what a Stop cut.
import type { Notice, Offer, Retry, RunError } from "../protocol.ts";
import type { RunEntry } from "../run_entry.ts";
import type { Store } from "../store.ts";
import { receiptWords } from "../words.ts";
import { button, h } from "./dom.ts";
import { rawBlock, visibleText } from "./values.ts";

const offers: Record<Offer, string> = {
  repair: "Repair and try again",
  continue: "Continue",
  retry: "Try again",
};

export function outcome(run: RunEntry, store: Store, signal: AbortSignal): HTMLElement[] {
  const { state } = run;
  return [
    state.retries?.length ? h("p", { class: "facts" }, visibleText(attempts(state.retries))) : null,
    state.error && errorBlock(state.error, signal),
    state.notice && noticeBlock(state.notice),
    state.receipt && message("receipt", receiptWords(state.receipt, state)),
    state.offers?.length && store.heard ? offered(run, state.offers, store, signal) : null,
  ].filter((element) => element !== null);
}

function attempts(retries: Retry[]): string {
  return `Sent ${retries.length + 1} times: ${retries.map(({ title }) => title).join(", ")}.`;
}

/** The style sheet hides it where another run follows; without a kernel nobody would hear a click. */
function offered(run: RunEntry, asked: Offer[], store: Store, signal: AbortSignal): HTMLElement {
  const disabled = run.again?.refused === null;
  const buttons = asked.map((how) =>
    button({ disabled }, () => store.again(run.id, how), signal, offers[how] ?? how),
  );
  return h(
    "div",
    { class: "acts offers" },
    ...buttons,
    h("span", { class: "facts" }, visibleText(run.again?.refused ?? "")),
  );
}

function noticeBlock(notice: Notice): HTMLElement {
  return message(notice.level === "warn" ? "warn" : "info", notice);
}

function errorBlock(error: RunError, signal: AbortSignal): HTMLElement {
  const root = message("error", error);
  if (error.hint) root.append(h("p", { class: "hint" }, visibleText(error.hint)));
  const { type, code, status } = error;
  root.append(rawBlock("Details", { type, code, status }, signal));
  return root;
}

function message(kind: string, { title, message }: { title: string; message: string }): HTMLElement {
  const ended = /[.!?…]$/.test(title) ? title : `${title}.`;
  return h(
    "div",
    { class: `message ${kind}` },
    h("p", null, h("b", null, visibleText(ended)), " ", visibleText(message)),
  );
}
