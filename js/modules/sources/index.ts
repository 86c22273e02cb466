/** Where an answer comes from: search results, citations and pages the model read, as lists of checked links. */
import { drawing, h, linkUrl, object, uriLink, visibleText } from "../../core.ts";
import type { Json, JsonObject, Step } from "../../protocol.ts";
import css from "./sources.css";

export { css };

interface Source {
  title: string;
  uri: string;
  note: string;
}

/** Google's search results come as redirects of this host; the title then names the site. */
const redirect_host = "vertexaisearch.cloud.google.com";

const lines = {
  link: "M6.8 9.2a2.4 2.4 0 0 0 3.4 0l2.2-2.2A2.4 2.4 0 0 0 9 3.6l-.6.6M9.2 6.8a2.4 2.4 0 0 0-3.4 0L3.6 9A2.4 2.4 0 0 0 7 12.4l.6-.6",
  search: "M11 7a4 4 0 1 1-8 0 4 4 0 0 1 8 0Zm-1.2 2.8L13.5 13.5",
};

const retrieved = new Map([
  ["URL_RETRIEVAL_STATUS_ERROR", "could not be read"],
  ["URL_RETRIEVAL_STATUS_PAYWALL", "behind a paywall"],
  ["URL_RETRIEVAL_STATUS_UNSAFE", "not safe to read"],
]);

/** One list for each kind of source that the step names. */
export function sources(step: Step): HTMLElement[] {
  return [
    list("Sources", "search", grounding(step.grounding), queries(step.grounding)),
    list("Citations", "link", unique(step.citations.map(citation)), []),
    list("Pages read", "link", unique(step.url_context.map(page)), []),
  ].filter((element) => element !== null);
}

function list(
  title: string,
  mark: "search" | "link",
  items: Source[],
  searched: string[],
): HTMLElement | null {
  if (items.length === 0 && searched.length === 0) return null;
  const root = h(
    "div",
    { class: "sources", role: "group", "aria-label": title },
    h("header", null, drawing(mark, lines[mark]), title),
  );
  if (items.length > 0) root.append(h("ol", null, ...items.map(item)));
  if (searched.length > 0) {
    const terms = searched.map((term) => h("span", { class: "tag" }, visibleText(term)));
    root.append(h("p", { class: "tags" }, "Searched for ", ...terms));
  }
  return root;
}

function item(source: Source): HTMLElement {
  const notes = [host(source), source.note].filter(Boolean).join(", ");
  const link = source.uri ? uriLink(source.uri, source.title) : visibleText(source.title);
  return h("li", null, link, notes && h("span", { class: "facts" }, visibleText(notes)));
}

function host(source: Source): string {
  const url = linkUrl(source.uri);
  if (url === null) return "";
  const name = URL.canParse(url) ? new URL(url).host.replace(/^www\./, "") : "";
  if (name === redirect_host) return "through Google Search";
  return source.title.includes(name) ? "" : name;
}

function grounding(metadata: JsonObject[]): Source[] {
  return unique(
    metadata.flatMap((one) =>
      objects(one.groundingChunks).map((chunk) => {
        const found = object(chunk.web ?? chunk.retrievedContext ?? chunk.maps);
        const uri = string(found.uri);
        return { uri, title: string(found.title) || string(found.domain) || uri, note: "" };
      }),
    ),
  );
}

function queries(metadata: JsonObject[]): string[] {
  const terms = metadata.flatMap((one) => [one.webSearchQueries, one.retrievalQueries].flat());
  return [...new Set(terms.filter((term): term is string => typeof term === "string"))];
}

function citation(entry: JsonObject): Source {
  const uri = string(entry.uri);
  const license = string(entry.license);
  return {
    uri,
    title: string(entry.title) || uri || "A source without an address",
    note: license && `licence ${license}`,
  };
}

function page(entry: JsonObject): Source {
  const uri = string(entry.retrievedUrl);
  return {
    uri,
    title: uri || "A page without an address",
    note: retrieved.get(string(entry.urlRetrievalStatus)) ?? "",
  };
}

function unique(items: Source[]): Source[] {
  const seen = new Map(
    items.filter(({ uri, title }) => uri || title).map((one) => [`${one.uri} ${one.title}`, one]),
  );
  return [...seen.values()];
}

function objects(value: Json | undefined): JsonObject[] {
  return Array.isArray(value) ? value.map(object) : [];
}

function string(value: Json | undefined): string {
  return typeof value === "string" ? value : "";
}
