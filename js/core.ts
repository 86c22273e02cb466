/**
 * The door: everything that a module may import. A module's bundle holds none of it. What stands here is looked up on
 * the page, where widget.ts puts it; only types cross without that. Every card may bring its own copy of this code and
 * a module knows one of them, so nothing here is asked about by `instanceof`.
 */
export { button, h, setText, toggleAttribute } from "./dom/dom.ts";
export { onGesture } from "./dom/gestures.ts";
export { drawing, icon } from "./dom/icons.ts";
export { Once } from "./dom/once.ts";
export { linkUrl } from "./markdown/urls.ts";
export { uriLink } from "./parts/file.ts";
export { spelled, visibleText } from "./parts/values.ts";
export { isStopping } from "./source/source.ts";
export { jsonText, same } from "./state/exact.ts";
export { waitingCalls } from "./state/questions.ts";
export { isNumber, object, own } from "./state/values.ts";
export { count, duration } from "./words/formats.ts";
