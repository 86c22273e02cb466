/** Deciding about calls: the forms, the rules and what was edited. Loaded when the first call of a card waits. */

import type { ApprovalModule } from "../../card/seat.ts";
import css from "./approval.css";
import { RunDesk } from "./desk.ts";

export { css };

export const openDesk: ApprovalModule["openDesk"] = (run, context, tray, signal) =>
  new RunDesk(run, context, tray, signal);
