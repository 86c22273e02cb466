// The runs of one model, as its kernel tells of them. The source lives as long as the model; views subscribe to it.
import { attempt } from "../dom/page.ts";
import type {
  BeatMessage,
  KernelMessage,
  PageMessage,
  PatchMessage,
  RefusedMessage,
  RunState,
  Snapshot,
} from "../protocol.ts";
import { RunEntry } from "../state/entry.ts";
import { withWhole } from "../state/exact.ts";
import { Line } from "./line.ts";
import type { Action, Link, Listener, Source } from "./source.ts";

/** What this needs of an anywidget model; hosts differ in the rest. */
export interface ModelPort {
  get(name: string): unknown;
  set(name: string, value: unknown): void;
  save_changes(): void;
  send(content: unknown): void;
  // biome-ignore lint/suspicious/noExplicitAny: the hosts' own signature
  on(event: string, callback: (...args: any[]) => void): void;
  // biome-ignore lint/suspicious/noExplicitAny: the hosts' own signature
  off(event: string, callback: (...args: any[]) => void): void;
}

const retry_ms = 1500;
/** Resyncs that nothing on the screen waits for, or that nobody ever answered, are not repeated for ever. */
const tries_max = 4;
const stop_tries = 4;
/** A connection may come back after a page has given its kernel up: it asks on now and then, for five minutes. */
const later_ms = 6000;
const later_tries = 50;
/** Whoever was not heard may ask again. */
const again_ms = 5000;
/** A run that goes on is spoken of every 2 s. After this the page asks: the words of its end may be what was lost. */
const silence_ms = 7000;

export class KernelSource implements Source {
  readonly runs = new Map<string, RunEntry>();
  live = false;
  saved = false;
  readonly #lines = new Map<string, Line>();
  readonly #listeners = new Set<Listener>();
  /** Resyncs the kernel has not answered, by run; null is every run of the card. */
  readonly #waiting = new Map<string | null, number>();
  readonly #stops = new Map<string, number>();
  /** How often a page whose kernel was never heard still asks for the end of what it was saved with. */
  #later = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #model: ModelPort;
  readonly #now: () => number;

  constructor(model: ModelPort, signal: AbortSignal, now: () => number = () => performance.now()) {
    this.#model = model;
    this.#now = now;
    const onMessage = (message: unknown) => this.#receive(message);
    const onSnapshot = () => {
      this.#hear();
      this.#readSnapshot();
    };
    quietly(() => model.on("msg:custom", onMessage));
    quietly(() => model.on("change:snapshot", onSnapshot));
    signal.addEventListener("abort", () => {
      quietly(() => model.off("msg:custom", onMessage));
      quietly(() => model.off("change:snapshot", onSnapshot));
      clearTimeout(this.#timer);
      this.#listeners.clear();
      this.#waiting.clear();
      this.#stops.clear();
    });
    this.#readSnapshot();
    this.#resync(null);
  }

  get order(): readonly string[] {
    return [...this.runs.keys()];
  }

  link(run: string): Link {
    const line = this.#lines.get(run);
    if (!line) throw new Error(`no run ${run}`);
    return line;
  }

  subscribe(listener: Listener, signal: AbortSignal): void {
    this.#listeners.add(listener);
    signal.addEventListener("abort", () => this.#listeners.delete(listener));
  }

  /** What the action does is seen when the kernel has taken it; that it was asked for, at once and in every view. */
  act(action: Action): void {
    const line = this.#lines.get(action.run);
    if (!line) return;
    switch (action.op) {
      case "stop":
        if (!line.run.ended) this.#stop(line);
        return;
      case "decide": {
        const { hash, verdict } = action;
        line.decisions.set(action.call, { hash, verdict, sent_ms: this.#now(), refused: null });
        break;
      }
      case "again":
        this.#askAgain(line);
    }
    this.#send(action);
    this.#tell((listener) => listener.link(line.run));
  }

  /** By trait and by message: each can be withheld by some host or kernel. */
  #stop(line: Line): void {
    const { id } = line.run;
    line.stop_asked_ms ??= this.#now();
    quietly(() => {
      this.#model.set("stop_run", id);
      this.#model.save_changes();
    });
    this.#send({ op: "stop", run: id });
    this.#stops.set(id, 0);
    this.#arm();
    this.#tell((listener) => listener.link(line.run));
  }

  #askAgain(line: Line): void {
    const asked = { refused: null };
    line.again = asked;
    setTimeout(() => {
      if (line.again !== asked) return;
      line.again = null;
      this.#tell((listener) => listener.link(line.run));
    }, again_ms);
  }

  #receive(message: unknown): void {
    if (!isMessage(message)) return;
    this.#hear();
    if (message.op === "patch") this.#patch(message);
    else if (message.op === "snap") quietly(() => this.#snap(message.run, message));
    else if (message.op === "beat") this.#beat(message);
    else if (message.op === "refused") this.#refused(message);
  }

  #hear(): void {
    if (!this.live) this.#setLive(true);
  }

  #setLive(live: boolean): void {
    this.live = live;
    this.saved = !live;
    this.#later = !live && [...this.runs.values()].some((run) => !run.ended) ? later_tries : 0;
    this.#tell((listener) => listener.live());
    this.#arm();
  }

  #patch({ run: id, seq, ops }: PatchMessage): void {
    const now = this.#now();
    const line = this.#lines.get(id);
    if (!line) {
      this.#resync(id);
      return;
    }
    const { run } = line;
    line.word_ms = now;
    const taken = run.take(seq, ops);
    if (taken === "old") return;
    if (taken === "gap" || taken === "misfit") {
      // After a misfit nothing here can be trusted, also not what has a higher number.
      if (taken === "misfit") line.mayRewind = true;
      this.#resync(id);
      return;
    }
    line.data_ms = now;
    // No time was told so far: it starts here, or has just had its turn.
    if (line.clock(now) === null) line.time.sync(0, now);
    this.#settle(run);
    this.#tell((listener) => listener.ops(run, taken));
  }

  #snap(id: string, { seq, at_s, state, whole }: Snapshot["runs"][number]): void {
    if (!isState(state, id)) return;
    withWhole(state, whole);
    const now = this.#now();
    this.#waiting.delete(id);
    this.#waiting.delete(null);
    const known = this.#lines.get(id);
    const line = known ?? new Line(new RunEntry(state, seq), now);
    const { run } = line;
    line.word_ms = now;
    line.tell(state.status, at_s, now);
    if (!known) {
      this.#add(line);
      return;
    }
    if (seq < run.seq && !line.mayRewind) return;
    const old = run.adopt(state, seq);
    line.mayRewind = false;
    line.data_ms = now;
    this.#settle(run);
    this.#tell((listener) => listener.snapshot(run, old));
    const held = run.takeHeld();
    if (held) this.#tell((listener) => listener.ops(run, held));
  }

  #beat({ run: id, seq, at_s, status }: BeatMessage): void {
    const line = this.#lines.get(id);
    if (!line) {
      this.#resync(id);
      return;
    }
    const now = this.#now();
    line.word_ms = now;
    line.tell(status, at_s, now);
    if (seq === line.run.seq && status === line.run.state.status) return;
    if (seq <= line.run.seq) line.mayRewind = true;
    this.#resync(id);
  }

  #refused({ run: id, call, message }: RefusedMessage): void {
    const line = this.#lines.get(id);
    if (!line) return;
    if (call === null) line.again = { refused: message };
    else {
      const sent = line.decisions.get(call) ?? { hash: null, verdict: null, sent_ms: this.#now() };
      line.decisions.set(call, { ...sent, refused: message });
    }
    this.#tell((listener) => listener.link(line.run));
  }

  /** The trait is the state when the page loads, and the last word when a run ends. */
  #readSnapshot(): void {
    let snapshot: Partial<Snapshot> | null | undefined;
    quietly(() => {
      snapshot = this.#model.get("snapshot") as Snapshot;
    });
    for (const run of snapshot?.runs ?? []) {
      const { id } = run.state;
      const known = this.runs.get(id);
      // The host keeps the trait's value, so what we change in place must be ours.
      if (!known || run.seq > known.seq) quietly(() => this.#snap(id, structuredClone(run)));
    }
  }

  #add(line: Line): void {
    const { run } = line;
    this.#lines.set(run.id, line);
    this.runs.set(run.id, run);
    this.#arm();
    this.#tell((listener) => listener.added(run));
  }

  #settle(run: RunEntry): void {
    if (run.ended || run.state.status === "cancelling") this.#stops.delete(run.id);
  }

  #resync(id: string | null): void {
    if (this.#waiting.has(id)) return;
    this.#waiting.set(id, 0);
    this.#ask(id);
    this.#arm();
  }

  #ask(id: string | null): void {
    this.#send({ op: "resync", run: id, have: (id !== null && this.runs.get(id)?.seq) || 0 });
  }

  #arm(): void {
    if (this.#timer !== undefined) return;
    const waits = this.#waiting.size > 0 || this.#stops.size > 0 || this.#goesOn(null);
    if (!waits && this.#later === 0) return;
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined;
        if (waits) this.#retry();
        else if (this.#later-- > 0) this.#ask(null);
        this.#arm();
      },
      waits ? retry_ms : later_ms,
    );
  }

  #retry(): void {
    const heard_ms = this.#now() - silence_ms;
    for (const { run, word_ms } of this.#lines.values())
      if (this.#goesOn(run.id) && word_ms < heard_ms) this.#resync(run.id);
    for (const [id, tries] of this.#waiting) {
      if (tries >= tries_max && !this.#goesOn(id)) this.#waiting.delete(id);
      else {
        this.#waiting.set(id, tries + 1);
        this.#ask(id);
      }
    }
    if (this.#waiting.size === 0 && !this.live && !this.saved) this.#setLive(false);
    for (const [id, tries] of this.#stops) {
      if (tries >= stop_tries) this.#stops.delete(id);
      else {
        this.#stops.set(id, tries + 1);
        this.#send({ op: "stop", run: id });
      }
    }
  }

  /** Whether news of a run, or of any, are to come: what a notebook was saved with goes on only once a kernel spoke. */
  #goesOn(id: string | null): boolean {
    const runs = id === null ? [...this.runs.values()] : [this.runs.get(id)];
    return this.live && runs.some((run) => run?.ended === false);
  }

  #send(message: PageMessage): void {
    quietly(() => this.#model.send(message));
  }

  /** A listener that fails must not keep the others from hearing. */
  #tell(what: (listener: Listener) => void): void {
    for (const listener of this.#listeners) attempt(() => what(listener));
  }
}

/** Hosts differ in what of a model they support; what one lacks must not take the rest down. */
function quietly(action: () => void): void {
  try {
    action();
  } catch (error) {
    console.warn("gemstream_widget:", error);
  }
}

function isMessage(value: unknown): value is KernelMessage {
  return (value as Partial<KernelMessage> | null)?.op !== undefined;
}

function isState(value: unknown, id: string): value is RunState {
  const state = value as Partial<RunState> | null;
  return state?.id === id && Array.isArray(state.parts) && Array.isArray(state.steps);
}
