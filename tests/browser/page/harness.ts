// Mounts the built widget with a scripted kernel; tests and the screenshot script drive it through window.gem.
import { endings, fields, grown, hostile, untried } from "./hostile.ts";
import { FakeKernel, type FakeModel } from "./kernel.ts";
import { LossyKernel, shown } from "./lossy.ts";
import { call, decision, parts, run, states, step, waits } from "./states.ts";
import { audit, poke, seen, unspelled, watch } from "./tripwire.ts";

const bundle = "/gemstream_widget/static/widget.js";

interface Kernel {
  readonly model: FakeModel;
}

interface Mounted<K extends Kernel = FakeKernel> {
  kernel: K;
  /** Another view of the same model. */
  view(into?: HTMLElement): Promise<{ el: HTMLElement; remove(): void }>;
  destroy(): void;
}

async function mount<K extends Kernel>(kernel: K): Promise<Mounted<K>> {
  const { default: widget } = await import(bundle);
  const life = new AbortController();
  // Like anywidget: a new proxy of the model for every call.
  const proxy = () => {
    const { model } = kernel;
    const names = ["get", "set", "save_changes", "send", "on", "off"] as const;
    return Object.fromEntries(
      names.map((name) => [name, (model[name] as (...args: unknown[]) => unknown).bind(model)]),
    );
  };
  widget.initialize({ model: proxy(), signal: life.signal });
  return {
    kernel,
    async view(into = document.querySelector<HTMLElement>("#cells")!) {
      const el = document.createElement("div");
      const output = document.createElement("div");
      output.className = "output";
      output.append(el);
      into.append(output);
      const viewLife = new AbortController();
      const cleanup = await widget.render({ model: proxy(), el, signal: viewLife.signal });
      return {
        el,
        remove() {
          viewLife.abort();
          cleanup();
          output.remove();
        },
      };
    },
    destroy: () => life.abort(),
  };
}

/** One card in one of the scripted states; a live one began `at_s` seconds ago. */
async function show(name: string, at_s = 2.1, into?: HTMLElement): Promise<Mounted & { el: HTMLElement }> {
  const kernel = new FakeKernel();
  kernel.start(states[name]!(), at_s);
  const mounted = await mount(kernel);
  const { el } = await mounted.view(into);
  return { ...mounted, el };
}

declare global {
  interface Window {
    gem: object;
  }
}

window.gem = {
  FakeKernel,
  LossyKernel,
  shown,
  mount,
  show,
  states,
  names: Object.keys(states),
  run,
  parts,
  step,
  call,
  waits,
  decision,
  hostile,
  endings,
  fields,
  grown,
  untried,
  watch,
  seen,
  audit,
  unspelled,
  poke,
};
document.documentElement.dataset.ready = "true";
