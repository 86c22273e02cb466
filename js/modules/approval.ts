/** Deciding about calls: the forms, the rules and what was edited. Loaded when the first call of a card waits. */
import css from "../approval/approval.css";
import { RunDesk } from "../approval/desk.ts";
import type { ApprovalModule } from "../view/desk.ts";

export { css };

export const openDesk: ApprovalModule["openDesk"] = (run, context, tray, signal) =>
  new RunDesk(run, context, tray, signal);
