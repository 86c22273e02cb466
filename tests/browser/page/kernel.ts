// A model and a kernel that live in the page: they speak docs/protocol.md and misbehave on demand.

import { parseJson } from "../../../js/modules/approval/exact.ts";
import type { Call, JsonObject, Op, PageMessage, RunState } from "../../../js/protocol.ts";
import { applyOps } from "../../../js/state/patch.ts";
import { isEnded } from "../../../js/state/questions.ts";
import { states } from "./states.ts";
import { wireOp, wireState } from "./wire.ts";

type Listener = (...args: never[]) => void;

export class FakeModel {
  readonly sent: PageMessage[] = [];
  readonly saved: { [name: string]: unknown }[] = [];
  broken = { send: false, save: false };
  onSent: (message: PageMessage) => void = () => {};
  private readonly listeners = new Map<string, Set<Listener>>();
  private readonly traits: { [name: string]: unknown } = { snapshot: { runs: [] }, stop_run: "" };

  get(name: string): unknown {
    return this.traits[name];
  }

  set(name: string, value: unknown): void {
    this.traits[name] = value;
  }

  save_changes(): void {
    if (this.broken.save) throw new Error("save_changes is not supported here");
    this.saved.push({ stop_run: this.traits.stop_run });
  }

  send(message: PageMessage): void {
    if (this.broken.send) throw new Error("send is not supported here");
    this.sent.push(structuredClone(message));
    this.onSent(message);
  }

  on(event: string, listener: Listener): void {
    const set = this.listeners.get(event) ?? new Set();
    this.listeners.set(event, set.add(listener));
  }

  off(event: string, listener: Listener): void {
    this.listeners.get(event)?.delete(listener);
  }

  emit(event: string, ...args: unknown[]): void {
    for (const listener of this.listeners.get(event) ?? []) listener(...(args as never[]));
  }

  get listenerCount(): number {
    return [...this.listeners.values()].reduce((sum, set) => sum + set.size, 0);
  }
}

export class FakeKernel {
  readonly model = new FakeModel();
  readonly runs = new Map<string, { state: RunState; seq: number; from_ms: number }>();
  /** Patches with these numbers are lost on the way. */
  readonly lose = new Set<number>();
  answersResync = true;
  answersStop = true;
  answersDecide = true;
  /** Refuses every decision with these words. */
  refuses: string | null = null;
  /** Second modules it sends when asked. */
  readonly modules = new Set<string>(["approval", "sources"]);
  beats = true;

  constructor() {
    this.model.onSent = (message) => setTimeout(() => this.receive(message), 1);
  }

  /** Every 2 s while a run goes on: what ended is at rest, here too. */
  private beat(id: string): void {
    const run = this.runs.get(id)!;
    if (isEnded(run.state.status)) return;
    if (this.beats)
      this.tell({ op: "beat", run: id, seq: run.seq, at_s: this.at(id), status: run.state.status });
    setTimeout(() => this.beat(id), 2000);
  }

  /** A run that began `at_s` seconds ago. */
  start(state: RunState, at_s = 0): void {
    this.runs.set(state.id, {
      state: structuredClone(state),
      seq: 0,
      from_ms: performance.now() - at_s * 1000,
    });
    this.saveTrait();
    setTimeout(() => this.beat(state.id), 2000);
  }

  saveTrait(): void {
    const runs = [...this.runs].map(([id, { state, seq }]) => ({
      seq,
      at_s: this.at(id),
      ...wireState(state),
    }));
    this.model.set("snapshot", { runs });
  }

  patch(id: string, ops: Op[]): void {
    const run = this.runs.get(id)!;
    run.state = applyOps(run.state, structuredClone(ops));
    run.seq++;
    if (!this.lose.has(run.seq)) this.tell({ op: "patch", run: id, seq: run.seq, ops: ops.map(wireOp) });
  }

  /** Every run before it has ended. */
  turn(id: string): void {
    this.runs.get(id)!.from_ms = performance.now();
    this.patch(id, [["=", ["status"], "pending"]]);
  }

  append(id: string, index: number, text: string): void {
    this.patch(id, [["+", ["parts", index, "text"], text]]);
  }

  /** The clock of a run that is queued stands. */
  at(id: string): number {
    if (this.runs.get(id)!.state.status === "queued") return 0;
    return (performance.now() - this.runs.get(id)!.from_ms) / 1000;
  }

  private tell(message: object, buffers: readonly DataView[] = []): void {
    this.model.emit("msg:custom", message, buffers);
  }

  /** Changes fields of a call, wherever it is. */
  call(id: string, callId: string, fields: Partial<Call>): void {
    const index = this.runs
      .get(id)!
      .state.parts.findIndex((part) => part.kind === "call" && part.call.id === callId);
    this.patch(
      id,
      Object.entries(fields).map(
        ([name, value]): Op => ["=", ["parts", index, "call", name], value as never],
      ),
    );
  }

  private receive(message: PageMessage): void {
    if (message.op === "resync" && this.answersResync) {
      for (const [id, { state, seq }] of this.runs)
        if (message.run === null || message.run === id)
          this.tell({ op: "snap", run: id, seq, at_s: this.at(id), ...wireState(state) });
    }
    if (message.op === "stop" && this.answersStop) this.stop(message.run);
    if (message.op === "module" && this.modules.has(message.name)) void this.sendModule(message.name);
    if (message.op === "decide" && this.answersDecide) this.decide(message);
    if (message.op === "revoke") {
      const rules = this.runs.get(message.run)!.state.rules.filter(({ id }) => id !== message.rule);
      this.patch(message.run, [["=", ["rules"], rules as never]]);
    }
  }

  /** Asked for or not. */
  async sendModule(name: string): Promise<void> {
    const source = await (await fetch(`/gemstream_widget/static/${name}.js`)).arrayBuffer();
    this.tell({ op: "module", name, id: `${name}-test` }, [new DataView(source)]);
  }

  private decide(message: Extract<PageMessage, { op: "decide" }>): void {
    const { run: id, call: callId, verdict, reason, scope } = message;
    const args = message.args === null ? null : (parseJson(message.args) as JsonObject);
    const { state } = this.runs.get(id)!;
    const found = state.parts.find((part) => part.kind === "call" && part.call.id === callId);
    const call = found?.kind === "call" ? found.call : null;
    const stale = call?.state !== "awaiting_approval" || call.hash !== message.hash;
    if (!call || stale || this.refuses !== null) {
      const words = this.refuses ?? `Call ${callId} is not waiting for a decision.`;
      this.tell({ op: "refused", run: id, call: callId, message: words });
      return;
    }
    if (scope !== "once") {
      const what = verdict === "approve" ? "runs" : "is denied";
      const words = `Every call of ${call.name} ${what} without asking, in this ${scope}.`;
      const rules = [...state.rules, { id: `x${state.rules.length + 1}`, tool: call.name, scope, words }];
      this.patch(id, [["=", ["rules"], rules as never]]);
    }
    const at_s = this.at(id);
    const common = { otid: 99, by: "button" as const, reason, scope, at_s };
    const settled = { hash: null, deadline_s: null };
    if (verdict === "approve") {
      const edited = args !== null;
      const decision = { ...common, verdict: "approved" as const, edited };
      this.call(id, callId, {
        ...settled,
        decision,
        state: "running",
        used_args: args ?? call.args,
        started_s: at_s,
      });
    } else {
      const decision = { ...common, verdict: "denied" as const, edited: false };
      this.call(id, callId, {
        ...settled,
        decision,
        state: "denied",
        result: { error: "Denied by the user." },
        ended_s: at_s,
      });
    }
  }

  private stop(id: string): void {
    const run = this.runs.get(id);
    if (!run || isEnded(run.state.status)) return;
    const asked_s = this.at(id);
    if (run.state.status === "queued") {
      const { status, stopped_by, ended_s, notice } = states.taken_back!();
      const ended = Object.entries({ status, stopped_by, ended_s, notice });
      this.patch(
        id,
        ended.map(([name, value]): Op => ["=", [name], value as never]),
      );
      return;
    }
    this.patch(id, [["=", ["status"], "cancelling"]]);
    setTimeout(() => {
      const receipt = {
        by: "button",
        when: "mid-stream",
        asked_s,
        closed_s: asked_s + 0.001,
        chunks_after: 0,
        tokens: run.state.tokens,
      };
      this.patch(id, [
        ["=", ["status"], "cancelled"],
        ["=", ["ended_s"], this.at(id)],
        ["=", ["receipt"], receipt],
      ]);
    }, 60);
  }
}
