// A kernel that plays what a real card sent (proof/recorded.py) over a connection that loses, repeats and reorders.
import type { BeatMessage, PageMessage, PatchMessage, SnapMessage, Snapshot } from "../../../js/protocol.ts";
import { FakeModel } from "./kernel.ts";
import { numbers } from "./samples.ts";

export interface Recording {
  name: string;
  run: string;
  /** False: it waits for a decision, for as long as anybody looks. */
  ends: boolean;
  opening: Snapshot;
  closing: Snapshot | null;
  sent: ({ at_ms: number } & ({ message: PatchMessage; snap: SnapMessage } | { message: BeatMessage }))[];
}

/** Seconds between the beats that follow the last recorded one, as widget.py sends them. */
const beats_s = { ended: [1, 3, 8], going: [2, 2, 2, 2] };

export class LossyKernel {
  readonly model = new FakeModel();
  /** What the connection did, for the report of a failure. */
  readonly log: string[] = [];
  readonly #recording: Recording;
  readonly #chance: (limit: number) => number;
  /** Neither beats, nor answers, nor the trait: what heals a page is off. */
  readonly #mute: boolean;
  readonly #losses: number;
  #resyncs_to_lose: number;
  #snap: SnapMessage | null = null;
  #underway = 0;
  /** One in five connections breaks in mid-run. */
  #broken = false;
  /** Everything was sent, and the connection is a good one from now on. */
  #over = false;
  lost = 0;

  constructor(recording: Recording, seed: number, mute = false) {
    this.#recording = recording;
    this.#mute = mute;
    this.#chance = numbers(seed * 7919);
    this.#losses = [0, 10, 30, 60][this.#chance(4)]!;
    this.#resyncs_to_lose = this.#chance(3);
    this.model.set("snapshot", structuredClone(recording.opening));
    this.model.onSent = (message) => this.#receive(message);
  }

  /** Nothing is on its way any more. */
  get quiet(): boolean {
    return this.#underway === 0;
  }

  start(): void {
    const { sent, closing, ends } = this.#recording;
    const patches = sent.flatMap(({ message }) => (message.op === "patch" ? [message.seq] : []));
    const ended_ms = sent.findLast((entry) => entry.message.op === "patch")?.at_ms ?? 0;
    const lost_from = (patches.at(-1) ?? 0) - this.#chance(4);
    for (const entry of sent) {
      this.#after(entry.at_ms, () => {
        if ("snap" in entry) this.#snap = entry.snap;
        const isLost = entry.message.op === "patch" && entry.message.seq > lost_from;
        this.#send(entry.message, isLost ? 100 : this.#losses);
      });
    }
    const last = sent.findLast((entry) => entry.message.op === "beat")!;
    let at_ms = last.at_ms;
    const beats = ends ? beats_s.ended : beats_s.going;
    beats.forEach((pause_s, index) => {
      at_ms += pause_s * 1000;
      const loss = index === beats.length - 1 ? 0 : 50;
      const at_s = (last.message as BeatMessage).at_s + (ends ? 0 : (at_ms - last.at_ms) / 1000);
      const beat = { ...(last.message as BeatMessage), at_s };
      this.#after(at_ms, () => this.#send(beat, loss));
    });
    if (this.#chance(5) === 0)
      this.#after(sent[this.#chance(sent.length)]!.at_ms, () => {
        this.log.push("broken");
        this.#broken = true;
      });
    this.#after(at_ms, () => {
      this.#over = true;
      this.#broken = false;
    });
    if (closing && !this.#mute && this.#chance(2) === 0)
      this.#after(ended_ms, () => {
        if (this.#broken) return;
        this.model.set("snapshot", structuredClone(closing));
        this.model.emit("change:snapshot");
      });
  }

  #receive(message: PageMessage): void {
    if (message.op !== "resync" || this.#mute) return;
    if (this.#broken || this.#resyncs_to_lose-- > 0) {
      this.log.push("resync lost");
      return;
    }
    this.#after(this.#chance(400), () => {
      const snap = this.#snap ?? this.#first();
      if (snap) this.#send(snap, this.#over ? 0 : this.#losses / 2);
    });
  }

  /** Before any patch the state is the one the card was opened with. */
  #first(): SnapMessage | null {
    const first = this.#recording.opening.runs[0];
    return first ? { op: "snap", run: this.#recording.run, ...first } : null;
  }

  /** Into the page, or not: `loss` in percent. */
  #send(message: PatchMessage | SnapMessage | BeatMessage, loss: number): void {
    if (this.#mute && message.op !== "patch") return;
    const said = `${message.op} ${message.seq}`;
    if (this.#broken || this.#chance(100) < loss) {
      this.lost++;
      this.log.push(`${said} lost`);
      return;
    }
    const copies = this.#chance(5) === 0 ? 2 : 1;
    for (let copy = 0; copy < copies; copy++) {
      const late_ms = this.#chance(4) === 0 ? this.#chance(900) : 0;
      this.#after(late_ms, () => {
        this.log.push(said);
        this.model.emit("msg:custom", structuredClone(message), []);
      });
    }
  }

  #after(ms: number, action: () => void): void {
    this.#underway++;
    setTimeout(() => {
      this.#underway--;
      action();
    }, ms);
  }
}

/** What a reader sees of a card, as lines; where it is scrolled to and the clock of a run that goes on are left out. */
export function shown(el: HTMLElement): string[] {
  const root = el.querySelector(".gemstream")!.shadowRoot!;
  const going = root.querySelector("button.stop") !== null;
  const lines: string[] = [];
  const walk = (node: Node) => {
    if (node instanceof Text) {
      const text = node.data.trim();
      if (text) lines.push(going ? text.replace(/\d+(\.\d+)? s\b/g, "# s") : text);
      return;
    }
    if (!(node instanceof HTMLElement || node instanceof SVGElement || node instanceof ShadowRoot)) return;
    if (node instanceof HTMLElement) {
      if (node.hidden || node.matches("[role=status], [role=alert], .jump, .trouble")) return;
      const names = [...node.classList].filter((name) => name !== "floating");
      lines.push(`<${node.localName} ${names.sort().join(".")}>`);
      if (/^(INPUT|TEXTAREA|SELECT)$/.test(node.tagName)) lines.push(`= ${(node as HTMLInputElement).value}`);
    }
    node.childNodes.forEach(walk);
  };
  walk(root);
  return lines;
}
