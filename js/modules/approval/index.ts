/** Deciding about calls: the forms, the rules and what was edited. Loaded when the first call of a card waits. */
import type { RunContext } from "../../card/context.ts";
import type { Desk } from "../../card/seat.ts";
import type { RunEntry } from "../../state/entry.ts";
import css from "./approval.css";
import { RunDesk } from "./desk.ts";

export { css };

/** The desk of one run; `tray` is for what is about several calls. It closes with the signal. */
export function openDesk(run: RunEntry, context: RunContext, tray: HTMLElement, signal: AbortSignal): Desk {
  return new RunDesk(run, context, tray, signal);
}
