// A file the model sent: known raster images are shown, everything else is offered for download. Nothing is fetched.

import { button, h } from "../dom/dom.ts";
import { icon } from "../dom/icons.ts";
import { Once } from "../dom/once.ts";
import { linkUrl } from "../markdown/urls.ts";
import type { FilePart, Part } from "../protocol.ts";
import { bytes } from "../words/formats.ts";
import type { Block } from "./block.ts";
import { spelled, visibleText } from "./values.ts";

/** Never svg: it is a document that can carry script and links. */
const images: ReadonlySet<string> = new Set(["image/png", "image/jpeg", "image/gif", "image/webp"]);
const image_max_bytes = 20_000_000;

/** What is drawn of a file, whether a part or a tool's result. */
type Shown = Pick<FilePart, "mime_type" | "data" | "size_bytes" | "uri" | "name" | "cut">;

export class FileView implements Block {
  readonly root = h("div", { class: "file", role: "group" });
  readonly #shown = new Once();
  #url: string | null = null;

  readonly #signal: AbortSignal;

  constructor(part: Shown, signal: AbortSignal) {
    this.#signal = signal;
    signal.addEventListener("abort", () => this.#release());
    this.#paint(part);
  }

  change(part: Part): boolean {
    this.#paint(part as FilePart);
    return true;
  }

  #release(): void {
    if (this.#url) URL.revokeObjectURL(this.#url);
    this.#url = null;
  }

  #paint(part: Shown): void {
    const key = `${part.mime_type}|${part.data?.length}|${part.uri}|${part.name}|${part.cut}`;
    if (!this.#shown.isNew(key)) return;
    this.#release();
    const data = part.data === null ? null : decode(part.data);
    const name = part.name || fileName(part);
    this.root.setAttribute("aria-label", `File ${name}`);
    this.root.replaceChildren();
    if (data && images.has(part.mime_type) && data.length <= image_max_bytes)
      this.root.append(this.#image(part, data));
    this.root.append(this.#row(part, name, data));
  }

  #image(part: Shown, data: Uint8Array<ArrayBuffer>): HTMLElement {
    this.#url = URL.createObjectURL(new Blob([data], { type: part.mime_type }));
    return h("img", {
      src: this.#url,
      alt: spelled(part.name ?? "Image made by the model"),
      decoding: "async",
    });
  }

  #row(part: Shown, name: string, data: Uint8Array<ArrayBuffer> | null): HTMLElement {
    const size = part.size_bytes ?? data?.length;
    const facts = [part.mime_type, size === undefined ? null : bytes(size)].filter(Boolean).join(", ");
    const row = h(
      "div",
      { class: "file-row" },
      icon("file"),
      h("span", { class: "file-name" }, visibleText(name)),
    );
    row.append(h("span", { class: "facts" }, visibleText(facts)));
    if (part.uri !== null) row.append(uriLink(part.uri));
    if (part.cut)
      row.append(h("span", { class: "facts" }, "too large to show here; the run in Python has it"));
    if (data) row.append(h("span", { class: "grow" }), this.#download(data, name));
    return row;
  }

  #download(data: Uint8Array<ArrayBuffer>, name: string): HTMLButtonElement {
    const save = () => {
      // An opaque type: the browser must save it, never open it.
      const url = URL.createObjectURL(new Blob([data], { type: "application/octet-stream" }));
      h("a", { href: url, download: spelled(name) }).click();
      setTimeout(() => URL.revokeObjectURL(url), 10_000);
    };
    return button({ class: "quiet", "aria-label": `Download ${name}` }, save, this.#signal, "Download");
  }
}

export function uriLink(uri: string, text = uri): HTMLElement {
  const url = linkUrl(uri);
  if (url === null) return h("span", { class: "facts" }, visibleText(text));
  return h(
    "a",
    { href: url, target: "_blank", rel: "noopener noreferrer nofollow", title: url },
    visibleText(text),
  );
}

function fileName(part: Shown): string {
  const [type, subtype] = part.mime_type.split(/[/;]/);
  const extension = /^[a-z0-9]{1,8}$/.test(subtype ?? "") ? `.${subtype === "jpeg" ? "jpg" : subtype}` : "";
  return `${type || "file"}${extension}`;
}

function decode(base64: string): Uint8Array<ArrayBuffer> | null {
  try {
    const binary = atob(base64.replaceAll("-", "+").replaceAll("_", "/"));
    return Uint8Array.from(binary, (character) => character.charCodeAt(0));
  } catch {
    return null;
  }
}
