// @vitest-environment happy-dom
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Call, Choice, Json, JsonObject } from "../../protocol.ts";
import type { SentDecision } from "../../source/source.ts";
import { CallForm } from "./form.ts";

const schema: JsonObject = {
  properties: {
    table: { type: "string" },
    limit: { type: "integer", maximum: 100 },
    note: { type: "string" },
  },
  required: ["table"],
};
let life: AbortController;
let sent: Choice[];

beforeEach(() => {
  life = new AbortController();
  sent = [];
  vi.stubGlobal("CSS", { supports: () => true });
});
afterEach(() => {
  life.abort();
  vi.unstubAllGlobals();
});

function form(args: JsonObject = { limit: 3, table: "orders" }, more: Partial<Call> = {}): CallForm {
  const call = {
    id: "s0c0",
    name: "delete_rows",
    args,
    schema,
    deadline_s: null,
    error: null,
    ...more,
  } as Call;
  const host = { decide: (choice: Choice) => sent.push(choice), changed: () => {}, say: () => {} };
  const made = new CallForm(call, "h1", host, life.signal);
  document.body.replaceChildren(made.root);
  return made;
}

function type(made: CallForm, name: string, text: string): void {
  const labels = [...made.root.querySelectorAll<HTMLLabelElement>(".fields > label")];
  const label = labels.find((each) => each.firstChild?.textContent === name)!;
  const control = made.root.querySelector<HTMLInputElement>(`#${label.htmlFor}`)!;
  control.value = text;
  control.dispatchEvent(new Event("input"));
}

const decided = (more: Partial<Choice>): Choice[] => [
  { hash: "h1", verdict: "approve", args: null, reason: null, scope: "once", ...more },
];

describe("a decision", () => {
  it("names the hash that was shown and no arguments when none was edited", () => {
    form().decide("approve");
    expect(sent).toEqual(decided({}));
  });

  it("carries every argument when one was edited, in the model's order", () => {
    const made = form();
    type(made, "limit", "2");
    expect(made.edited).toBe(true);
    made.decide("approve");
    expect(sent[0]!.args).toBe('{"limit":2,"table":"orders"}');
  });

  it("leaves out what was cleared and adds what was set", () => {
    const made = form();
    type(made, "limit", "");
    type(made, "note", "twice");
    made.decide("approve");
    expect(sent[0]!.args).toBe('{"table":"orders","note":"twice"}');
  });

  it("is unedited again when the model's text is typed back", () => {
    const made = form();
    type(made, "table", "x");
    type(made, "table", "orders");
    made.decide("approve");
    expect(sent).toEqual(decided({}));
  });

  it("is not an approval while anything is invalid, but may be a denial", () => {
    const made = form();
    type(made, "limit", "300");
    made.decide("approve");
    expect(sent).toEqual([]);
    made.decide("deny");
    expect(sent).toEqual(decided({ verdict: "deny" }));
  });

  it("carries reason and scope", () => {
    const made = form();
    made.root.querySelector<HTMLInputElement>(".acts input")!.value = " not these ";
    made.root.querySelector<HTMLSelectElement>(".acts select")!.value = "run";
    made.decide("deny");
    made.decide("approve");
    expect(sent).toEqual([
      ...decided({ verdict: "deny", reason: "not these", scope: "run" }),
      ...decided({ scope: "run" }),
    ]);
  });

  it("sends every digit of a large number beside one that was edited", () => {
    const args: JsonObject = { table: "orders", id: 7310582946120375811n, ids: [{ no: -(10n ** 30n) }] };
    const made = form(args);
    type(made, "table", "refunds");
    made.decide("approve");
    const digits = `{"table":"refunds","id":7310582946120375811,"ids":[{"no":-1${"0".repeat(30)}}]}`;
    expect(sent[0]!.args).toBe(digits);
  });

  it.each([
    ["id", "7310582946120375811", "7310582946120375812"],
    ["ids", "[1152921504606846977]", "[1152921504606846976]"],
    ["dry", "true", "false"],
  ])("is unedited when %s is typed back as %s", (name, asked, other) => {
    const args: JsonObject = { table: "orders", id: 7310582946120375811n, ids: [2n ** 60n + 1n], dry: true };
    const made = form(args);
    type(made, name, other);
    expect(made.edited).toBe(true);
    type(made, name, asked);
    expect([made.edited, made.valid]).toEqual([false, true]);
    made.decide("approve");
    expect(sent).toEqual(decided({}));
  });

  it("keeps arguments with hostile names", () => {
    const args = JSON.parse('{"table": "a", "__proto__": 1}') as JsonObject;
    const made = form(args);
    type(made, "table", "b");
    made.decide("approve");
    expect(sent[0]!.args).toBe('{"table":"b","__proto__":1}');
  });
});

describe("after sending", () => {
  const way = (more: Partial<SentDecision> = {}): SentDecision => ({
    hash: "h1",
    verdict: "approve",
    sent_ms: 0,
    refused: null,
    ...more,
  });
  const approve = (made: CallForm) => made.root.querySelector<HTMLButtonElement>("button.primary")!;

  it("everything is locked until the kernel answers", () => {
    const made = form();
    made.update(way(), false, 100);
    expect(approve(made).textContent).toBe("Sending…");
    expect([...made.root.querySelectorAll(":disabled")]).toHaveLength(7);
    made.decide("deny");
    expect(sent).toEqual([]);
  });

  it("a refusal unlocks it and is said", () => {
    const made = form();
    made.update(way({ refused: "Too late." }), false, 100);
    expect(made.open).toBe(true);
    expect(made.root.querySelector(".message-line")?.textContent).toBe("Too late.");
  });

  it("silence unlocks it after a while, with another way to decide", () => {
    const made = form();
    made.update(way(), false, 10_500);
    expect(made.open).toBe(true);
    expect(made.root.textContent).toContain('run.approve("s0c0")');
  });

  it("nothing is decided while the run stops", () => {
    const made = form();
    made.update(undefined, true);
    made.decide("approve");
    expect(sent).toEqual([]);
    expect(approve(made).textContent).toBe("Approve");
  });
});

describe("fields", () => {
  it("fold away what the model left out when it is much", () => {
    const properties = Object.fromEntries("abcd".split("").map((name) => [name, { type: "string" } as Json]));
    const made = form({ a: "x" }, { schema: { properties } });
    expect(made.root.querySelector("summary")?.textContent).toBe("3 more, not set");
    expect(made.root.querySelectorAll("details .cell")).toHaveLength(3);
  });

  it("say that there are none", () => {
    expect(form({}, { schema: { properties: {} } }).root.textContent).toContain("No arguments");
  });

  it("show why a policy asks", () => {
    expect(form({}, { error: "More than 3 rows." }).root.textContent).toContain("More than 3 rows.");
  });
});
