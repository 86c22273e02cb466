/**
 * Images in an answer. Fetching one tells its server whatever the model put into the address, so nothing is fetched
 * before the reader has seen the address and asked for it.
 */
import { h } from "../dom/dom.ts";
import { imageUrl } from "./urls.ts";

const sources = new WeakMap<Element, URL>();

/** What stands for an image until, and unless, the reader loads it. */
export function remoteImage(href: string, alt: string): HTMLElement {
  const url = imageUrl(href);
  const reason = /^\s*data:/i.test(href) ? "embedded in the text" : "address not allowed";
  const words = `${alt === "" ? "Image" : `Image: ${alt}`}${url === null ? ` (not shown: ${reason})` : ""}`;
  const holder = h("span", { class: "gs-image" }, h("span", { class: "gs-image-alt" }, words));
  if (url === null) return holder;
  const load = `Load image from ${url.host}`;
  const button = h("button", { type: "button", class: "gs-load-image", title: url.href }, load);
  holder.append(" ", button, " ", h("span", { class: "gs-image-url" }, url.href));
  sources.set(button, url);
  return holder;
}

/** Puts the image in the place of its button, when the button is one of ours. */
export function loadImage(button: Element): void {
  // The address shown is the address fetched: the button may have been kept from an earlier frame.
  const url = sources.get(button) ?? imageUrl(button.getAttribute("title") ?? "");
  const holder = button.parentElement;
  if (url === null || holder === null || !holder.classList.contains("gs-image")) return;
  const alt = holder.querySelector(".gs-image-alt")?.textContent ?? "";
  // The address last: what it is fetched with has to be known by then.
  const how = { alt, referrerpolicy: "no-referrer", loading: "lazy", decoding: "async", src: url.href };
  button.replaceWith(h("img", how));
}
