// The anywidget module: one store per model, one card per view.
import type { AnyModel } from "@anywidget/types";
import { Card } from "./card/card.ts";
import { moduleLoader, requestOver } from "./load.ts";
import { type ModelPort, Store } from "./source/kernel.ts";

/** Content hash of the second modules, put in by build.mjs. */
declare const BUILD_ID: string;

interface InitializeProps {
  model: AnyModel;
  /** From anywidget 0.11 on; older hosts call the function that was returned. */
  signal?: AbortSignal;
}

interface RenderProps extends InitializeProps {
  el: HTMLElement;
}

const stores = new Map<AnyModel, Store>();

function initialize({ model, signal }: InitializeProps): () => void {
  const life = lifetime(signal);
  stores.set(model, new Store(model as ModelPort, life.signal));
  life.signal.addEventListener("abort", () => stores.delete(model));
  return () => life.abort();
}

function render({ model, el, signal }: RenderProps): () => void {
  const life = lifetime(signal);
  const store = storeOf(model) ?? new Store(model as ModelPort, life.signal);
  new Card(store, el, moduleLoader(requestOver(model), BUILD_ID), life.signal);
  return () => life.abort();
}

/** anywidget hands out a new proxy of one model to every call, so what tells models apart is the object in a trait. */
function storeOf(model: AnyModel): Store | undefined {
  const known = stores.get(model);
  if (known) return known;
  const mark: unknown = model.get("snapshot");
  if (typeof mark !== "object" || mark === null) return undefined;
  for (const [other, store] of stores) if (other.get("snapshot") === mark) return store;
  return undefined;
}

/** Ends with the host's signal, where it gives one, or with the function returned to it. */
function lifetime(signal: AbortSignal | undefined): AbortController {
  const controller = new AbortController();
  if (signal?.aborted) controller.abort();
  else signal?.addEventListener("abort", () => controller.abort(), { signal: controller.signal });
  return controller;
}

export default { initialize, render };
