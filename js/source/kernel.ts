// The page's copy of every run of one model. It lives as long as the model; views subscribe to it and only paint.
import type {
  BeatMessage,
  Choice,
  KernelMessage,
  Offer,
  Op,
  PageMessage,
  PatchMessage,
  RefusedMessage,
  RunState,
  Snapshot,
} from "../protocol.ts";
import { RunEntry } from "../state/entry.ts";
import { withWhole } from "../state/exact.ts";
import { isEnded } from "../state/questions.ts";

/** What the store needs of an anywidget model; hosts differ in the rest. */
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

export interface StoreListener {
  /** Patches were applied. */
  ops(run: RunEntry, ops: readonly Op[]): void;
  /** A snapshot replaced `old`. */
  snapshot(run: RunEntry, old: RunState): void;
  added(run: RunEntry): void;
  /** Something about the conversation with the kernel changed: a Stop was asked for, a decision sent or refused. */
  link(run: RunEntry): void;
}

const retry_ms = 1500;
/** Resyncs that nothing on the screen waits for are not repeated for ever: a saved notebook has no kernel. */
const idle_tries = 4;
const stop_tries = 4;
/** Whoever was not heard may ask again. */
const again_ms = 5000;
/** A run that goes on is spoken of every 2 s. After this the page asks: the words of its end may be what was lost. */
const silence_ms = 7000;

export class Store {
  readonly runs = new Map<string, RunEntry>();
  /** A kernel spoke: what is shown is not only a saved notebook. */
  heard = false;
  readonly #listeners = new Set<StoreListener>();
  /** Resyncs the kernel has not answered, by run; null is every run of the card. */
  readonly #waiting = new Map<string | null, number>();
  readonly #stops = new Map<string, number>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #model: ModelPort;
  readonly #now: () => number;

  constructor(model: ModelPort, signal: AbortSignal, now: () => number = () => performance.now()) {
    this.#model = model;
    this.#now = now;
    const onMessage = (message: unknown) => this.#receive(message);
    const onSnapshot = () => this.#readSnapshot();
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

  subscribe(listener: StoreListener, signal: AbortSignal): void {
    this.#listeners.add(listener);
    signal.addEventListener("abort", () => this.#listeners.delete(listener));
  }

  /** Asks the kernel to stop a run, by trait and by message: each can be withheld by some host or kernel. */
  stop(id: string): void {
    const run = this.runs.get(id);
    if (!run || run.ended) return;
    run.stop_asked_ms ??= this.#now();
    quietly(() => {
      this.#model.set("stop_run", id);
      this.#model.save_changes();
    });
    this.#send({ op: "stop", run: id });
    this.#stops.set(id, 0);
    this.#arm();
    this.#tell((listener) => listener.link(run));
  }

  /** Sends a decision about a call as it was shown; the state changes when the kernel has taken it. */
  decide(id: string, call: string, choice: Choice): void {
    const run = this.runs.get(id);
    if (!run) return;
    const { hash, verdict } = choice;
    run.decisions.set(call, { hash, verdict, sent_ms: this.#now(), refused: null });
    this.#send({ op: "decide", run: id, call, ...choice });
    this.#tell((listener) => listener.link(run));
  }

  revoke(id: string, rule: string): void {
    this.#send({ op: "revoke", run: id, rule });
  }

  /** Asks for what comes after a run that did not end well. */
  again(id: string, how: Offer): void {
    const run = this.runs.get(id);
    if (!run) return;
    this.#send({ op: "again", run: id, how });
    const asked = { refused: null };
    this.#asked(run, asked);
    setTimeout(() => run.again === asked && this.#asked(run, null), again_ms);
  }

  #asked(run: RunEntry, again: RunEntry["again"]): void {
    run.again = again;
    this.#tell((listener) => listener.link(run));
  }

  #receive(message: unknown): void {
    if (!isMessage(message)) return;
    this.heard = true;
    if (message.op === "patch") this.#patch(message);
    else if (message.op === "snap") quietly(() => this.#snap(message.run, message));
    else if (message.op === "beat") this.#beat(message);
    else if (message.op === "refused") this.#refused(message);
  }

  #patch({ run: id, seq, ops }: PatchMessage): void {
    const now = this.#now();
    const run = this.runs.get(id) ?? this.#open(id, seq, ops, now);
    if (!run) {
      this.#resync(id);
      return;
    }
    run.word_ms = now;
    const taken = run.take(seq, ops);
    if (taken === "old") return;
    if (taken === "gap" || taken === "misfit") {
      // After a misfit nothing here can be trusted, also not what has a higher number.
      if (taken === "misfit") run.may_rewind = true;
      this.#resync(id);
      return;
    }
    run.data_ms = now;
    this.#settle(run);
    this.#tell((listener) => listener.ops(run, taken));
  }

  /** A run that starts with its whole state in its first patch needs no resync. */
  #open(id: string, seq: number, ops: readonly Op[], now: number): RunEntry | null {
    const [op, path, value] = ops[0] ?? [];
    if (seq !== 1 || op !== "=" || path?.length !== 0 || !isState(value, id)) return null;
    const run = new RunEntry(structuredClone(value), 0, now);
    run.clock.sync(0, now);
    this.#add(run);
    return run;
  }

  #snap(id: string, { seq, at_s, state, whole }: Snapshot["runs"][number]): void {
    if (!isState(state, id)) return;
    withWhole(state, whole);
    const now = this.#now();
    this.#waiting.delete(id);
    this.#waiting.delete(null);
    let run = this.runs.get(id);
    if (!run) {
      run = new RunEntry(state, seq, now);
      run.clock.sync(at_s, now);
      this.#add(run);
      return;
    }
    run.word_ms = now;
    run.clock.sync(at_s, now);
    const old = run.adopt(state, seq);
    if (!old) return;
    run.data_ms = now;
    this.#settle(run);
    const known = run;
    this.#tell((listener) => listener.snapshot(known, old));
    const held = run.takeHeld();
    if (held) this.#tell((listener) => listener.ops(known, held));
  }

  #beat({ run: id, seq, at_s, status }: BeatMessage): void {
    const run = this.runs.get(id);
    if (!run) {
      this.#resync(id);
      return;
    }
    const now = this.#now();
    run.word_ms = now;
    if (!isEnded(status)) run.clock.sync(at_s, now);
    if (seq === run.seq && status === run.state.status) return;
    if (seq <= run.seq) run.may_rewind = true;
    this.#resync(id);
  }

  #refused({ run: id, call, message }: RefusedMessage): void {
    const run = this.runs.get(id);
    if (!run) return;
    if (call === null) {
      this.#asked(run, { refused: message });
      return;
    }
    const sent = run.decisions.get(call) ?? { hash: null, verdict: null, sent_ms: this.#now() };
    run.decisions.set(call, { ...sent, refused: message });
    this.#tell((listener) => listener.link(run));
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

  #add(run: RunEntry): void {
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
    if (this.#waiting.size === 0 && this.#stops.size === 0 && !this.#isLive(null)) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#retry();
      this.#arm();
    }, retry_ms);
  }

  #retry(): void {
    const heard_ms = this.#now() - silence_ms;
    for (const run of this.runs.values()) if (!run.ended && run.word_ms < heard_ms) this.#resync(run.id);
    for (const [id, tries] of this.#waiting) {
      if (tries >= idle_tries && !this.#isLive(id)) this.#waiting.delete(id);
      else {
        this.#waiting.set(id, tries + 1);
        this.#ask(id);
      }
    }
    for (const [id, tries] of this.#stops) {
      if (tries >= stop_tries) this.#stops.delete(id);
      else {
        this.#stops.set(id, tries + 1);
        this.#send({ op: "stop", run: id });
      }
    }
  }

  #isLive(id: string | null): boolean {
    if (id !== null) return this.runs.get(id)?.ended === false;
    return [...this.runs.values()].some((run) => !run.ended);
  }

  #send(message: PageMessage): void {
    quietly(() => this.#model.send(message));
  }

  #tell(what: (listener: StoreListener) => void): void {
    for (const listener of this.#listeners) what(listener);
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
  return typeof value === "object" && value !== null && "op" in value;
}

function isState(value: unknown, id: string): value is RunState {
  if (typeof value !== "object" || value === null) return false;
  const state = value as Partial<RunState>;
  return state.id === id && Array.isArray(state.parts) && Array.isArray(state.steps);
}
