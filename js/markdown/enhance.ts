/**
 * What is done to finished blocks afterwards, in idle time: colours in code, formulas drawn. Both need a module that
 * is loaded when first wanted; without it the plain text stays.
 */
import { codeText } from "./code.ts";
import { MAX_HIGHLIGHT, MAX_MATH } from "./limits.ts";
import { formulaSource } from "./math_syntax.ts";

export type ModuleName = "highlight" | "math";

/** Gives a module's exports; rejects, or gives null, when there is none to be had. */
export type LoadModule = (name: ModuleName) => Promise<unknown>;

/** A piece of code and its class, "" for none. */
export type Piece = readonly [text: string, kind: string];

export interface HighlightModule {
  /** The code in pieces, or null for a language it does not know. */
  highlight(source: string, language: string): readonly Piece[] | null;
}

export interface MathModule {
  /** The formula as MathML, or null when it cannot be drawn. */
  renderMath(source: string, display: boolean): Element | null;
}

type Job = Generator<void, void, void>;

interface IdleWindow {
  requestIdleCallback?: (callback: (deadline: IdleDeadline) => void, options: { timeout: number }) => number;
}

const IDLE_TIMEOUT_MS = 1_000;
const SLICE_MS = 6;
/** Code this far outside the view is coloured before it is scrolled to. */
const NEAR = "600px";

export class Enhancer {
  readonly #jobs: Job[] = [];
  readonly #modules = new Map<ModuleName, Promise<unknown>>();
  readonly #observer: IntersectionObserver | null;
  #running = false;

  readonly #loadModule: LoadModule | undefined;
  readonly #signal: AbortSignal;

  constructor(loadModule: LoadModule | undefined, signal: AbortSignal) {
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
    const language = code.className.replace(/^language-/, "");
    this.#withModule<HighlightModule>("highlight", (module) => colour(module, code, language));
  }

  #math(formula: HTMLElement): void {
    if ((formula.textContent ?? "").length > MAX_MATH) return;
    this.#withModule<MathModule>("math", (module) => draw(module, formula));
  }

  #withModule<T>(name: ModuleName, job: (module: T) => Job): void {
    let module = this.#modules.get(name);
    if (module === undefined) {
      module = (this.#loadModule as LoadModule)(name).catch(() => null);
      this.#modules.set(name, module);
    }
    void module.then((loaded) => {
      if (loaded !== null && loaded !== undefined && !this.#signal.aborted) this.#jobs.push(job(loaded as T));
      this.#run();
    });
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

/** Puts colours into a code block, one span of lines at a time; its text stays the same. */
function* colour(module: HighlightModule, code: HTMLElement, language: string): Job {
  const pieces = module.highlight(codeText(code), language);
  if (pieces === null) return;
  yield;
  const rest = pieces.values();
  let text = "";
  let kind = "";
  for (const span of Array.from(code.children)) {
    let room = span.textContent?.length ?? 0;
    const nodes: Node[] = [];
    while (room > 0) {
      if (text === "") {
        const next = rest.next();
        if (next.done) break;
        [text, kind] = next.value;
        continue;
      }
      const part = text.slice(0, room);
      nodes.push(pieceNode(part, kind));
      room -= part.length;
      text = text.slice(part.length);
    }
    // A module that lost text must not lose the reader's.
    if (room === 0) span.replaceChildren(...nodes);
    yield;
  }
}

function pieceNode(text: string, kind: string): Node {
  if (kind === "") return document.createTextNode(text);
  const span = document.createElement("span");
  span.className = `gs-hl-${kind}`;
  span.textContent = text;
  return span;
}

/** Draws a formula. Its source stays in the page, hidden, as what is copied; the MathML is what is read out. */
function* draw(module: MathModule, formula: HTMLElement): Job {
  const raw = formula.textContent ?? "";
  const math = module.renderMath(formulaSource(raw), formula.classList.contains("gs-math-display"));
  if (math === null) return;
  const source = document.createElement("span");
  source.className = "gs-math-source";
  source.setAttribute("aria-hidden", "true");
  source.textContent = raw;
  formula.title = raw;
  formula.replaceChildren(source, math);
  yield;
}
