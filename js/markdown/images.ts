/**
 * Images in an answer. Fetching one tells its server whatever the model put into the address, so nothing is fetched
 * before the reader has seen the address and asked for it.
 */
import { imageUrl } from "./urls.ts";

const sources = new WeakMap<Element, URL>();

/** What stands for an image until, and unless, the reader loads it. */
export function remoteImage(href: string, alt: string): HTMLElement {
  const holder = document.createElement("span");
  holder.className = "gs-image";
  const label = document.createElement("span");
  label.className = "gs-image-alt";
  label.textContent = alt === "" ? "Image" : `Image: ${alt}`;
  const url = imageUrl(href);
  if (url === null) {
    const reason = /^\s*data:/i.test(href) ? "embedded in the text" : "address not allowed";
    label.textContent += ` (not shown: ${reason})`;
    holder.append(label);
    return holder;
  }
  const button = document.createElement("button");
  button.type = "button";
  button.className = "gs-load-image";
  button.textContent = `Load image from ${url.host}`;
  button.title = url.href;
  const address = document.createElement("span");
  address.className = "gs-image-url";
  address.textContent = url.href;
  holder.append(label, " ", button, " ", address);
  sources.set(button, url);
  return holder;
}

/** Puts the image in the place of its button, when the button is one of ours. */
export function loadImage(button: Element): void {
  // The address shown is the address fetched: the button may have been kept from an earlier frame.
  const url = sources.get(button) ?? imageUrl(button.getAttribute("title") ?? "");
  const holder = button.parentElement;
  if (url === null || holder === null || !holder.classList.contains("gs-image")) return;
  const image = document.createElement("img");
  image.alt = holder.querySelector(".gs-image-alt")?.textContent ?? "";
  image.referrerPolicy = "no-referrer";
  image.loading = "lazy";
  image.decoding = "async";
  image.src = url.href;
  button.replaceWith(image);
}
