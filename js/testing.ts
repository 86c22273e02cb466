// A model, a source, a listener and states for the tests beside the modules.

import { MarkdownStream } from "./markdown/stream.ts";
import type { Op, PageMessage, Part, RunState } from "./protocol.ts";
import { KernelSource, type ModelPort } from "./source/kernel.ts";
import type { Listener } from "./source/source.ts";
import { Changes } from "./state/changes.ts";
import type { RunEntry } from "./state/entry.ts";

/** Prose that grows: `flush` draws all that was written, as a frame with time enough does. Needs a DOM. */
export function growingProse() {
  type Work = (deadline_ms: number) => boolean;
  const root = document.createElement("div");
  let work: Work = () => false;
  const onFrame = (next: Work) => {
    work = next;
  };
  const stream = new MarkdownStream(root, {
    signal: new AbortController().signal,
    headingOffset: 0,
    onFrame,
  });
  return { root, stream, flush: () => work(Number.POSITIVE_INFINITY) };
}

export class TestModel implements ModelPort {
  readonly sent: PageMessage[] = [];
  readonly traits: { [name: string]: unknown } = { snapshot: { runs: [] }, stop_run: "" };
  saves = 0;
  readonly listeners = new Map<string, Set<(...args: unknown[]) => void>>();

  get(name: string): unknown {
    return this.traits[name];
  }

  set(name: string, value: unknown): void {
    this.traits[name] = value;
  }

  save_changes(): void {
    this.saves++;
  }

  send(content: unknown): void {
    this.sent.push(content as PageMessage);
  }

  on(event: string, callback: (...args: unknown[]) => void): void {
    this.listeners.set(event, (this.listeners.get(event) ?? new Set()).add(callback));
  }

  off(event: string, callback: (...args: unknown[]) => void): void {
    this.listeners.get(event)?.delete(callback);
  }

  emit(event: string, ...args: unknown[]): void {
    for (const callback of this.listeners.get(event) ?? []) callback(...args);
  }

  patch(seq: number, ...ops: Op[]): void {
    this.emit("msg:custom", { op: "patch", run: "r1", seq, ops: structuredClone(ops) }, []);
  }

  snap(seq: number, state: RunState, at_s = 1): void {
    this.emit("msg:custom", { op: "snap", run: state.id, seq, at_s, state: structuredClone(state) }, []);
  }

  beat(seq: number, status = "streaming", run = "r1", at_s = 1): void {
    this.emit("msg:custom", { op: "beat", run, seq, at_s, status }, []);
  }

  /** Messages of one kind since the last look. */
  take(op: PageMessage["op"]): PageMessage[] {
    const found = this.sent.filter((message) => message.op === op);
    this.sent.length = 0;
    return found;
  }
}

export function runState(more: Partial<RunState> = {}): RunState {
  return {
    id: "r1",
    model: "demo",
    demo: true,
    prompt: [],
    status: "streaming",
    stopped_by: null,
    tokens: null,
    parts: [],
    steps: [],
    usage: {},
    first_chunk_s: null,
    first_text_s: null,
    ended_s: null,
    notice: null,
    error: null,
    receipt: null,
    rules: [],
    ...more,
  };
}

export function textPart(index: number, text: string, more: object = {}): Part {
  const common = {
    otid: index,
    step: 0,
    run: "r1",
    first_s: index,
    last_s: null,
    chunks: null,
    signature: null,
  };
  return { index, kind: "text", thought: false, text, ...common, ...more } as Part;
}

export const hello = () => runState({ parts: [textPart(0, "He")] });
export const append = (text: string): Op => ["+", ["parts", 0, "text"], text];

/** A source whose kernel told of run r1 up to patch 1. */
export function openSource(
  model: TestModel,
  signal: AbortSignal,
  state: RunState = hello(),
): { source: KernelSource; run: RunEntry } {
  model.traits.snapshot = { runs: [{ seq: 1, at_s: 0.5, state }] };
  const source = new KernelSource(model, signal);
  model.sent.length = 0;
  model.snap(1, state);
  return { source, run: source.runs.get("r1")! };
}

/** Notes what it is told. */
export class TestListener implements Listener {
  readonly seen: string[] = [];
  readonly changes = new Changes();

  ops(run: RunEntry, ops: readonly Op[]): void {
    this.seen.push(`ops ${run.id} ${ops.length}`);
    this.changes.note(ops);
  }

  snapshot(run: RunEntry, old: RunState): void {
    this.seen.push(`snapshot ${run.id}`);
    this.changes.noteSnapshot(old, run.state);
  }

  added(run: RunEntry): void {
    this.seen.push(`added ${run.id}`);
  }

  link(run: RunEntry): void {
    this.seen.push(`link ${run.id}`);
  }

  live(): void {
    this.seen.push("live");
  }
}
