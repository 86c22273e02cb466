/**
 * What is done to finished blocks afterwards, in idle time: colours in code, formulas drawn. Both need a module that
 * is loaded when first wanted; without it the plain text stays.
 */
import type { Load, ModuleName, Modules } from "../contract.ts";
import { codeText } from "./code.ts";
import { MAX_HIGHLIGHT, MAX_MATH } from "./limits.ts";

/** Work on one block in steps; what asks for it may wait between two of them for idle time. */
export type Job = Generator<void, void, void>;

interface IdleWindow {
  requestIdleCallback?: (callback: (deadline: IdleDeadline) => void, options: { timeout: number }) => number;
}

const IDLE_TIMEOUT_MS = 1_000;
const SLICE_MS = 6;
/** Code this far outside the view is coloured before it is scrolled to. */
const NEAR = "600px";

export class Enhancer {
  readonly #jobs: Job[] = [];
  readonly #observer: IntersectionObserver | null;
  #running = false;

  readonly #loadModule: Load | undefined;
  readonly #signal: AbortSignal;

  constructor(loadModule: Load | undefined, signal: AbortSignal) {
    this.#loadModule = loadModule;
    this.#signal = signal;
    this.#observer =
      typeof IntersectionObserver === "undefined"
        ? null
        : new IntersectionObserver((entries) => this.#near(entries), { rootMargin: NEAR });
    signal.addEventListener("abort", () => this.#stop(), { once: true });
  }

  /** Looks through a finished block. Cheap when there is nothing to do. */
  add(element: HTMLElement): void {
    if (this.#loadModule === undefined || this.#signal.aborted) return;
    for (const code of element.querySelectorAll<HTMLElement>("code[class]")) {
      if (codeText(code).length > MAX_HIGHLIGHT) continue;
      if (this.#observer === null) this.#highlight(code);
      else this.#observer.observe(code);
    }
    for (const formula of element.querySelectorAll<HTMLElement>(".gs-math:not([title])")) this.#math(formula);
  }

  #near(entries: readonly IntersectionObserverEntry[]): void {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting) continue;
      this.#observer?.unobserve(target);
      this.#highlight(target as HTMLElement);
    }
  }

  #highlight(code: HTMLElement): void {
    this.#withModule("highlight", (module) => module.colour(code));
  }

  #math(formula: HTMLElement): void {
    if ((formula.textContent ?? "").length > MAX_MATH) return;
    this.#withModule("math", (module) => module.draw(formula));
  }

  /** Text stays plain while the module has not come, and for good when it never does. */
  #withModule<N extends ModuleName>(name: N, job: (module: Modules[N]) => Job): void {
    this.#loadModule?.(name).then(
      (module) => {
        if (this.#signal.aborted) return;
        this.#jobs.push(job(module));
        this.#run();
      },
      () => {}, // whoever loads tells of it
    );
  }

  #run(): void {
    if (this.#running || this.#jobs.length === 0) return;
    this.#running = true;
    const idle = (globalThis as IdleWindow).requestIdleCallback;
    if (idle === undefined) setTimeout(() => this.#work(), 16);
    else idle(() => this.#work(), { timeout: IDLE_TIMEOUT_MS });
  }

  #work(): void {
    this.#running = false;
    const until = performance.now() + SLICE_MS;
    while (this.#jobs.length > 0 && !this.#signal.aborted) {
      if (this.#jobs[0]?.next().done !== false) this.#jobs.shift();
      if (performance.now() >= until) break;
    }
    this.#run();
  }

  #stop(): void {
    this.#observer?.disconnect();
    this.#jobs.length = 0;
  }
}
