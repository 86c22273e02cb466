// The anywidget module: one source per model, one card per view.
import type { AnyModel } from "@anywidget/types";
import { BUILD_ID } from "./build_id.ts";
import { Card } from "./card/card.ts";
import type { Load } from "./contract.ts";
import * as core from "./core.ts";
import { pageWide } from "./dom/page.ts";
import { type MessagePort, moduleLoader } from "./load.ts";
import type { Snapshot } from "./protocol.ts";
import { KernelSource, type ModelPort } from "./source/kernel.ts";
import { SavedSource } from "./source/saved.ts";
import type { Source } from "./source/source.ts";

// Where the modules of this build look for what they share with it.
pageWide(BUILD_ID, () => core);

interface InitializeProps {
  model: AnyModel;
  /** From anywidget 0.11 on; older hosts call the function that was returned. */
  signal?: AbortSignal;
}

interface RenderProps extends InitializeProps {
  el: HTMLElement;
}

interface Model {
  source: Source;
  load: Load;
}

const models = new Map<AnyModel, Model>();

function initialize({ model, signal }: InitializeProps): () => void {
  const life = lifetime(signal);
  models.set(model, open(model, life.signal));
  life.signal.addEventListener("abort", () => models.delete(model));
  return () => life.abort();
}

function render({ model, el, signal }: RenderProps): () => void {
  const life = lifetime(signal);
  const { source, load } = known(model) ?? open(model, life.signal);
  new Card(source, el, load, life.signal);
  return () => life.abort();
}

/** A host that hands out no way to send has no kernel behind it. */
function open(model: AnyModel, signal: AbortSignal): Model {
  const source =
    typeof model.send === "function"
      ? new KernelSource(model as ModelPort, signal)
      : new SavedSource(model.get("snapshot") as Snapshot);
  return { source, load: moduleLoader(model as MessagePort, signal) };
}

/** anywidget hands out a new proxy of one model to every call, so what tells models apart is the object in a trait. */
function known(model: AnyModel): Model | undefined {
  const found = models.get(model);
  if (found) return found;
  const mark: unknown = model.get("snapshot");
  if (typeof mark !== "object" || mark === null) return undefined;
  for (const [other, same] of models) if (other.get("snapshot") === mark) return same;
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
