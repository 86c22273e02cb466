// The anywidget module: one source per model, one card per view.
import type { AnyModel } from "@anywidget/types";
import { Card } from "./card/card.ts";
import { moduleLoader, requestOver } from "./load.ts";
import type { Snapshot } from "./protocol.ts";
import { KernelSource, type ModelPort } from "./source/kernel.ts";
import { SavedSource } from "./source/saved.ts";
import type { Source } from "./source/source.ts";

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

const sources = new Map<AnyModel, Source>();

function initialize({ model, signal }: InitializeProps): () => void {
  const life = lifetime(signal);
  sources.set(model, sourceOf(model, life.signal));
  life.signal.addEventListener("abort", () => sources.delete(model));
  return () => life.abort();
}

function render({ model, el, signal }: RenderProps): () => void {
  const life = lifetime(signal);
  const source = known(model) ?? sourceOf(model, life.signal);
  new Card(source, el, moduleLoader(requestOver(model), BUILD_ID), life.signal);
  return () => life.abort();
}

/** A host that hands out no way to send has no kernel behind it. */
function sourceOf(model: AnyModel, signal: AbortSignal): Source {
  return typeof model.send === "function"
    ? new KernelSource(model as ModelPort, signal)
    : new SavedSource(model.get("snapshot") as Snapshot);
}

/** anywidget hands out a new proxy of one model to every call, so what tells models apart is the object in a trait. */
function known(model: AnyModel): Source | undefined {
  const same = sources.get(model);
  if (same) return same;
  const mark: unknown = model.get("snapshot");
  if (typeof mark !== "object" || mark === null) return undefined;
  for (const [other, source] of sources) if (other.get("snapshot") === mark) return source;
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
