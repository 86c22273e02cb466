import { describe, expect, it } from "vitest";
import type { Call, CallStatus, Decision, Part, Receipt, RunStatus, Step } from "../protocol.ts";
import { nextAttempt, waitingCalls } from "../state/questions.ts";
import { runState, textPart } from "../testing.ts";
import { bytes, duration } from "./formats.ts";
import { callChip, leftPhase, phase } from "./phase.ts";
import { attemptWords, decisionWords, linkTrouble, receiptWords, usageRows } from "./sentences.ts";

const step = (more: Partial<Step> = {}) => ({ index: 0, first_chunk_s: 0.4, ...more }) as Step;
const call = (name: string, state: CallStatus, index = 0) =>
  ({ ...textPart(index, ""), kind: "call", call: { name, state, args: {} } }) as unknown as Part;
const word = (more: Parameters<typeof runState>[0], stopping = false) => phase(runState(more), stopping).word;

describe("phase", () => {
  it("says what goes on", () => {
    expect(word({ status: "pending" })).toBe("Connecting");
    expect(word({})).toBe("Connecting");
    expect(word({ steps: [step({ first_chunk_s: null })] })).toBe("Connecting");
    expect(word({ steps: [step()], parts: [textPart(0, "hm", { kind: "thought", thought: true })] })).toBe(
      "Reasoning",
    );
    expect(word({ steps: [step()], parts: [textPart(0, "hm"), textPart(1, "")] })).toBe("Writing");
    expect(word({ steps: [step({ hops: 2 })], parts: [textPart(0, "hm")] })).toBe("Writing, part 2");
    expect(word({ steps: [step()], parts: [call("look", "streaming_args")] })).toBe("Calling look");
  });

  it("neither spins nor says that it was written where a run waits for its turn", () => {
    expect(phase(runState({ status: "queued" }), false)).toMatchObject({
      word: "Waiting for its turn",
      icon: "clock",
    });
    expect(leftPhase(runState({ status: "queued" }))).toMatchObject({
      word: "Saved before its turn",
      icon: "info",
    });
    expect(leftPhase(runState()).word).toBe("Saved while it was written");
  });

  it("has words for what a later kernel may say", () => {
    expect(word({ status: "resting" as RunStatus })).toBe("Working");
    expect(callChip({ state: "awaiting_review" as CallStatus } as Call, false).word).toBe("awaiting_review");
  });

  it("names the calls it waits for", () => {
    const parts = [call("a", "succeeded"), call("b", "running", 1), call("c", "running", 2)];
    expect(word({ status: "acting", parts })).toBe("Running b and 1 more");
    expect(word({ status: "acting", parts: [call("a", "requested")] })).toBe("Calling a");
    expect(word({ status: "acting", parts: [call("a", "awaiting_approval")] })).toBe("Waiting for approval");
    const both = [call("a", "running"), call("b", "awaiting_approval", 1)];
    expect(word({ status: "acting", parts: both })).toBe("Waiting for approval");
    expect(word({ status: "completed", stopped_by: "calls", parts: [call("a", "requested")] })).toBe(
      "Asked for a",
    );
  });

  it("says how it ended", () => {
    expect(word({ status: "completed" })).toBe("Done");
    expect(word({ status: "cancelled" })).toBe("Stopped");
    expect(word({ status: "cancelled", stopped_by: "taken_back" })).toBe("Taken back");
    expect(word({ status: "failed" })).toBe("Failed");
    expect(word({}, true)).toBe("Stopping…");
    expect(word({ status: "cancelling" })).toBe("Stopping…");
  });
});

describe("calls", () => {
  it("nobody can decide about a call of an ended run", () => {
    const parts = [call("a", "awaiting_approval"), call("b", "running", 1)];
    expect(waitingCalls(runState({ status: "acting", parts })).map(({ name }) => name)).toEqual(["a"]);
    expect(waitingCalls(runState({ status: "cancelled", parts }))).toEqual([]);
  });

  it("say how long they took, where that is known", () => {
    const chip = (more: Partial<Call>) => callChip(more as Call, false).word;
    expect(chip({ state: "succeeded", started_s: 1, ended_s: 1.044 })).toBe("Done, 0.04 s");
    expect(chip({ state: "failed", started_s: 1, ended_s: 4 })).toBe("Failed, 3.0 s");
    expect(chip({ state: "succeeded" })).toBe("Done");
    expect(chip({ state: "awaiting_approval" })).toBe("Waiting for you");
  });

  const decision = (more: Partial<Decision>): Decision => ({
    otid: 9,
    verdict: "approved",
    by: "button",
    reason: null,
    edited: false,
    scope: "once",
    at_s: 2,
    ...more,
  });
  it.each([
    [{}, "Approved by you"],
    [{ edited: true }, "Approved by you, arguments edited"],
    [{ by: "code", scope: "run" }, "Approved from code, also later ones in this run"],
    [{ by: "policy" }, ""],
    [{ by: "policy", reason: "read-only" }, "Allowed by policy: read-only"],
    [{ by: "rule" }, "Allowed by a rule"],
    [{ verdict: "denied", reason: "not these" }, "Denied by you: not these"],
    [{ verdict: "denied", by: "policy", reason: "never" }, "Denied by policy: never"],
    [{ verdict: "denied", by: "timeout", reason: "nobody" }, "Denied: no decision in time"],
    [{ verdict: "denied", by: "stop" }, "Stopped"],
    [{ by: "oracle" as Decision["by"] }, "Approved"],
  ] as [Partial<Decision>, string][])("%j reads %j", (more, words) => {
    expect(decisionWords(decision(more))).toBe(words);
  });
});

describe("receipt", () => {
  const receipt = (more: Partial<Receipt> = {}): Receipt => ({
    by: "button",
    when: "mid-stream",
    asked_s: 1.84,
    closed_s: 1.841,
    chunks_after: 0,
    tokens: 37,
    ...more,
  });
  const state = runState({ parts: [textPart(0, "A")] });

  it("tells who, when, how fast, how much and what is kept", () => {
    expect(receiptWords(receipt(), state)).toEqual({
      title: "Stopped by you at 1.84 s.",
      message:
        "Connection closed 1 ms later, no chunk came after. 37 tokens reported. Kept: the text above; the conversation can go on.",
    });
  });

  it.each<[Partial<Receipt>, string]>([
    [{ by: "code" }, "Stopped from code at"],
    [{ by: "interrupt" }, "Stopped by interrupting the kernel at"],
    [{ by: "closed" }, "Stopped as its card was closed at"],
    [{ by: "fork" }, "Stopped by a fork at"],
  ])("names who stopped it: %o", (more, start) => {
    expect(receiptWords(receipt(more), state).title.startsWith(start)).toBe(true);
  });

  it.each<[Partial<Receipt>, string]>([
    [{ closed_s: 1.8402 }, "Connection closed less than 1 ms later, no chunk came after."],
    [{ closed_s: 3.34 }, "Connection closed 1.5 s later"],
    [{ chunks_after: 1 }, "1 chunk came in between."],
    [{ chunks_after: 3 }, "3 chunks came in between."],
    [{ closed_s: null }, "The connection did not close in time."],
    [{ closed_s: null, when: "between steps" }, "No connection was open."],
    [{ closed_s: null, when: "before the request" }, "Nothing was sent."],
    [{ when: "before the first chunk" }, "Connection closed 1 ms later, before the first chunk."],
    [{ tokens: 0 }, "0 tokens reported."],
    [{ tokens: null }, "No tokens were reported."],
  ])("says %o in words", (more, words) => {
    expect(receiptWords(receipt(more), state).message).toContain(words);
  });

  it.each<[Part[], string]>([
    [[], "Kept: your prompt;"],
    [[textPart(0, "")], "Kept: your prompt;"],
    [[textPart(0, "x", { kind: "thought" })], "Kept: the reasoning above;"],
    [[textPart(0, "x"), call("a", "cancelled", 1)], "Kept: everything above;"],
  ])("says what is kept", (parts, words) => {
    expect(receiptWords(receipt(), runState({ parts })).message).toContain(words);
  });
});

describe("numbers", () => {
  it("read as people say them", () => {
    expect([0, 2.14, 59.94, 59.96, 65, 3720].map(duration)).toEqual([
      "0.0 s",
      "2.1 s",
      "59.9 s",
      "1 min 00 s",
      "1 min 05 s",
      "1 h 02 min",
    ]);
    expect([1, 999, 1580, 482_113, 999_999, 2_500_000].map(bytes)).toEqual([
      "1 byte",
      "999 bytes",
      "1.6 kB",
      "482 kB",
      "1.0 MB",
      "2.5 MB",
    ]);
  });

  it("tell 0 from never reported", () => {
    const usage = { prompt_token_count: 812, thoughts_token_count: 0, total_token_count: 1026 };
    expect(usageRows(runState({ usage }))).toEqual([
      ["prompt", "812"],
      ["reasoning", "0"],
      ["total", "1,026"],
    ]);
  });
});

describe("the kernel's silence", () => {
  const trouble = (word_ms: number, stop_asked_ms: number | null, now_ms: number, ended = false) =>
    linkTrouble({ word_ms, stop_asked_ms, now_ms, ended });

  it("is told in words, after a while, and only while something is wanted", () => {
    expect(trouble(0, null, 6900)).toBeNull();
    expect(trouble(0, null, 7400)).toBe("No word from the kernel for 7 s");
    expect(trouble(4000, 1000, 3900)).toBeNull();
    expect(trouble(4000, 1000, 4100)).toBe("The kernel has not answered the Stop for 3 s");
    expect(trouble(0, 1000, 9000, true)).toBeNull();
  });
});

describe("attempts", () => {
  const retry = {
    step: 0,
    attempt: 1,
    of: 3,
    title: "Too many requests (429)",
    message: "",
    failed_s: 1,
    until_s: 5.2,
  };
  const failed = { index: 0, first_chunk_s: null } as Step;

  it("are counted down while the failed step is the last one", () => {
    const waiting = runState({ status: "streaming", steps: [failed], retries: [retry] });
    expect(nextAttempt(waiting)).toBe(retry);
    expect(phase(waiting, false)).toMatchObject({ word: "Trying again", tone: "wait" });
    expect(attemptWords(retry, 1.1)).toBe("Too many requests (429): attempt 2 of 3 in 5 s");
    expect(attemptWords(retry, 9)).toBe("Too many requests (429): attempt 2 of 3 in 0 s");
  });

  it("are over once the next one began, or the run did not wait for it", () => {
    const steps = [failed, { ...failed, index: 1 }];
    expect(nextAttempt(runState({ status: "streaming", steps, retries: [retry] }))).toBeNull();
    expect(nextAttempt(runState({ status: "cancelled", steps: [failed], retries: [retry] }))).toBeNull();
    expect(nextAttempt(runState({ status: "streaming", steps: [failed] }))).toBeNull();
  });
});
