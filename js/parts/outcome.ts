// How a run ended, in words: what went wrong, what to know, what a Stop cut.

import { h } from "../dom/dom.ts";
import type { Notice, Retry, RunError, RunState } from "../protocol.ts";
import { count } from "../words/formats.ts";
import { receiptWords } from "../words/sentences.ts";
import { rawBlock } from "./raw.ts";
import { visibleText } from "./values.ts";

export function outcome(state: RunState, signal: AbortSignal): HTMLElement[] {
  return [
    state.retries?.length ? h("p", { class: "facts" }, visibleText(attempts(state.retries))) : null,
    state.error && errorBlock(state.error, signal),
    state.notice && noticeBlock(state.notice),
    state.receipt && message("receipt", receiptWords(state.receipt, state)),
  ].filter((element) => element !== null);
}

function attempts(retries: Retry[]): string {
  return `${count(retries.length, "attempt")} failed: ${retries.map(({ title }) => title).join(", ")}.`;
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
