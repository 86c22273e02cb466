// States a card can be in, as the kernel would send them.
import type { Call, Decision, JsonObject, Part, RunState, Step } from "../../../js/protocol.ts";

let otid = 0;

export function step(index: number, more: Partial<Step> = {}): Step {
  return {
    index,
    started_s: index * 2,
    first_chunk_s: index * 2 + 0.41,
    ended_s: null,
    chunk_count: null,
    outcome: null,
    finish_reason: null,
    finish_message: null,
    model_version: "gemini-2.5-flash",
    response_id: "abc",
    hops: 1,
    usage: {},
    prompt_feedback: null,
    grounding: [],
    citations: [],
    url_context: [],
    candidates: [],
    other: {},
    ...more,
  };
}

type Content = { kind: Part["kind"] } & { [name: string]: unknown };

/** Parts with their common fields filled in, in order. */
export function parts(...contents: Content[]): Part[] {
  return contents.map(
    (content, index) =>
      ({
        index,
        otid: otid++,
        step: 0,
        run: "r1",
        first_s: 0.41 + index * 0.8,
        last_s: null,
        chunks: null,
        signature: null,
        thought: content.kind === "thought",
        ...content,
      }) as unknown as Part,
  );
}

export function call(name: string, args: JsonObject, more: Partial<Call> = {}): { kind: "call"; call: Call } {
  const id = otid++;
  const base: Call = {
    id: `s0c${id}`,
    otid: id,
    call_id: null,
    name,
    args,
    state: "requested",
    doc: "",
    schema: null,
    hash: null,
    deadline_s: null,
    decision: null,
    used_args: null,
    started_s: null,
    ended_s: null,
    printed: "",
    result: null,
    display: null,
    error: null,
    traceback: null,
  };
  return { kind: "call", call: { ...base, ...more } };
}

export function run(more: Partial<RunState> = {}): RunState {
  return {
    id: "r1",
    model: "gemini-2.5-flash",
    demo: false,
    prompt: [{ role: "user", parts: [{ text: "How did revenue develop?" }] }],
    status: "streaming",
    stopped_by: null,
    tokens: null,
    parts: [],
    steps: [step(0)],
    usage: {},
    first_chunk_s: 0.41,
    first_text_s: null,
    ended_s: null,
    notice: null,
    error: null,
    receipt: null,
    rules: [],
    ...more,
  };
}

const usage = {
  prompt_token_count: 812,
  cached_content_token_count: 512,
  thoughts_token_count: 120,
  candidates_token_count: 94,
  total_token_count: 1026,
};

/** Waits for its turn, with more than a text. */
const queued: Partial<RunState> = {
  status: "queued",
  steps: [],
  first_chunk_s: null,
  prompt: [
    {
      role: "user",
      parts: [
        { text: "Which months lost money?" },
        { inlineData: { mimeType: "image/png", size_bytes: 41_213 } },
      ],
    },
  ],
  attachments: ["table orders, 12,408 x 7, first 20 rows, 3.1 kB", "figure.png, 41 kB"],
};

const thought = {
  kind: "thought" as const,
  text: "The table has one row per order, so revenue per month is a group by the month of `ordered_at`. I should check for refunds before summing, since",
};

/** A small PNG: one wave. */
const wave =
  "iVBORw0KGgoAAAANSUhEUgAAAPAAAAB4CAIAAABD1OhwAAACo0lEQVR42u3dQU7cQBRF0beOLI/1Zi1ITHrMmDCI23bZVc9HulO6f/06RkCIyOfXS6opViCgJaAloCWgBbQEtAS0BLQEtICWgJaAloCWgBbQEtAS0BLQEtACWgJaAloCWgJaQEtAS0BLQN/cn4+/W7IooEsoYw10IWWsgS6kjDXQs2s++CTYKtCLUR7xOgL6TM2zvaCA3olv5udEQN+m+cq3AFqXOmMa6FeZMKaBLrTFNNBtnymZBroNE9NAtzFievfegP7XkAds6RsEekbNTO/eFdCvmdEADXSbGKbfWlEsYn4uTG9fTixiCShMb1xLaDZw0yXGk+0hbPqUFJpN3nSJsQjzNy0hFuEUTcePr7qYbjp4aHacplPHk+1ETc9waHaupsOmfh3dt/4Q09uPme51POG+68/41gFTvI6HfOfUfcx3jxZfYjLddK60ruOxPwR4+KFSuY5n/ruDS/zxYzv/isZ0wUFStg6/Y9l0iTs+Nn4ZzTeITfOnaR00F+zh4PCpecRpLtjG8bHTsQ6aXeJ/fjlpxf8RDXTBJR58nay+DpoLlnPinFn6Eae5YEXnTph110FzwaJOny2LroPmgnWNmCorroPmgqUNmifLrYPmgtWNmyRrrYPmggUOnSELrYPmgjWOfvessg6aC5Z5wftmiXXQXLDSa94xx4e78k9hgzhosUN3e6WWzDylv4BdYPriS8yJs547Ls0Fpq+/xJw78SlDD31O1H2JmWojv1+H5uVY33uDGbeO7Yc58rEaanq5S8w1G9kRXlOZXuUSM+FGqCpgfdfkmWojJBWwvnfmzLAUdApkTzJq3JaaAlpAS0BLQEtAC2gJaAloCWgJaAEtAS0BLQEtAS2gJaAloCWgJaAFtAS0BLQEtAS0gJaAlm7pGz763ZaOi075AAAAAElFTkSuQmCC";

const deleteRows = {
  type: "object",
  properties: {
    table: { type: "string", description: "Name of the table" },
    where: { type: "string", description: "SQL condition; only matching rows are deleted" },
    limit: { type: "integer", minimum: 1, maximum: 100, default: 10 },
  },
  required: ["table", "where"],
};

/** One argument of every kind. */
const everything = {
  type: "object",
  $defs: {
    Mode: { enum: ["append", "replace", "fail"], type: "string" },
    Tag: { type: "string", maxLength: 8 },
  },
  properties: {
    path: { type: "string" },
    content: { type: "string" },
    mode: { $ref: "#/$defs/Mode", default: "fail" },
    ratio: { type: "number", exclusiveMinimum: 0, maximum: 1 },
    dry_run: { type: "boolean", default: true },
    backup: { type: "boolean", default: false },
    owner: { anyOf: [{ type: "string" }, { type: "null" }], default: null },
    tags: { type: "array", items: { $ref: "#/$defs/Tag" } },
    retries: { anyOf: [{ type: "integer" }, { type: "null" }], default: null },
    encoding: { type: "string", default: "utf-8" },
  },
  required: ["path", "content", "mode", "ratio"],
};

/** A call of a tool of ours that waits; `hash` tells calls apart. */
export function waits(name: string, args: JsonObject, more: Partial<Call> = {}) {
  const made = call(name, args, {
    state: "awaiting_approval",
    doc: "Delete rows of one table that match a condition.",
    schema: deleteRows,
    ...more,
  });
  made.call.hash ??= `hash-${made.call.id}`;
  return made;
}

/** A call of a tool of ours that a decision let run. */
function ran(name: string, args: JsonObject, more: Partial<Call> = {}) {
  return call(name, args, { used_args: args, schema: {}, started_s: 1.2, ended_s: 1.244, ...more });
}

export function decision(more: Partial<Decision> = {}): Decision {
  return {
    otid: 90,
    verdict: "approved",
    by: "button",
    reason: null,
    edited: false,
    scope: "once",
    at_s: 2,
    ...more,
  };
}

const lead = {
  kind: "text" as const,
  first_s: 3.6,
  text: "Refunds are recorded as negative rows, so a plain sum is right. I would like to remove the 3 duplicated orders first:",
};
const threeRows = { table: "orders", where: "id in (1042, 1077, 1078)", limit: 3 };
const acting = (...contents: Content[]) =>
  run({
    status: "acting",
    tokens: 118,
    parts: parts({ ...thought, first_s: 0.4, last_s: 3.5 }, lead, ...contents),
  });

export const states: { [name: string]: () => RunState } = {
  waiting: () => acting(waits("delete_rows", threeRows)),
  waiting_everything: () =>
    acting(
      waits(
        "write_file",
        {
          path: "report\u202Etxt.exe",
          content: "# Report\n\nRevenue grew by 9 %.\nRefunds are negative rows.",
          mode: "append",
          ratio: 0.5,
          dry_run: true,
          owner: null,
          tags: ["dup", "2026"],
          force: true,
        },
        { schema: everything, doc: "Write a file.", error: "The policy asks before anything is written." },
      ),
    ),
  parallel: () => ({
    ...acting(
      waits("delete_rows", threeRows),
      waits("delete_rows", { table: "refunds", where: "amount = 0" }),
      call(
        "run_sql",
        { query: "select 1" },
        { state: "running", schema: {}, used_args: { query: "select 1" }, started_s: 4 },
      ),
    ),
    rules: [
      {
        id: "x1",
        tool: "read_file",
        scope: "run",
        words: "Every call of read_file runs without asking, in this run.",
      },
    ],
  }),
  countdown: () => acting(waits("delete_rows", threeRows, { deadline_s: 30 })),
  running: () =>
    acting(
      ran(
        "train",
        { epochs: 3 },
        {
          state: "running",
          ended_s: null,
          doc: "Train the model.",
          decision: decision(),
          printed: "epoch 1: loss 0.81\nepoch 2: loss 0.52\n",
        },
      ),
    ),
  table: () =>
    acting(
      ran(
        "run_sql",
        { query: "select month, revenue, orders from sales" },
        {
          state: "succeeded",
          doc: "Run a read-only query.",
          decision: decision({ by: "policy", reason: "only reads" }),
          result: { columns: ["month"], rows: [["2026-08"]], row_count: 14 },
          display: {
            kind: "table",
            columns: ["month", "revenue", "orders", "note"],
            rows: [
              ["2026-08", 41207, 312, null],
              ["2026-09", 44910, 340, "<b>best</b>"],
            ],
            row_count: 14,
          },
        },
      ),
    ),
  image: () =>
    acting(
      ran(
        "plot",
        { column: "revenue" },
        {
          state: "succeeded",
          doc: "Plot one column.",
          result: { result: "an image (2 kB), shown to the user" },
          display: { kind: "image", mime_type: "image/png", data: wave },
        },
      ),
    ),
  shown_text: () =>
    acting(
      ran(
        "read_log",
        {},
        {
          state: "succeeded",
          result: { result: "…" },
          display: {
            kind: "text",
            text: "first line\nsecond line, which is rather long ".repeat(3),
            cut: 81200,
          },
        },
      ),
      ran(
        "get_config",
        { name: "main" },
        {
          state: "succeeded",
          result: { a: 1 },
          display: { kind: "json", text: '{\n  "a": 1\n}', cut: 0 },
        },
      ),
    ),
  ran_edited: () =>
    acting(
      ran("delete_rows", threeRows, {
        state: "succeeded",
        doc: "Delete rows of one table that match a condition.",
        decision: decision({ edited: true, scope: "run" }),
        used_args: { table: "orders", where: "id in (1042, 1077)" },
        result: { result: "2 rows deleted" },
        display: { kind: "text", text: "2 rows deleted", cut: 0 },
      }),
    ),
  denied: () =>
    acting(
      ran("delete_rows", threeRows, {
        state: "denied",
        used_args: null,
        decision: decision({ verdict: "denied", reason: "row 1078 is not a duplicate" }),
        result: { error: "Denied by the user. Reason: row 1078 is not a duplicate" },
      }),
      ran("delete_rows", threeRows, {
        state: "denied",
        used_args: null,
        decision: decision({ verdict: "denied", by: "timeout", reason: "nobody decided within 30 s" }),
        result: { error: "The call was not run" },
      }),
    ),
  tool_failed: () =>
    acting(
      ran(
        "run_sql",
        { query: "select * from nothing" },
        {
          state: "failed",
          doc: "Run a read-only query.",
          decision: decision({ by: "rule" }),
          printed: "connecting to sales.db\n",
          error: "OperationalError: no such table: nothing",
          traceback:
            'Traceback (most recent call last):\n  File "tools.py", line 12, in run_sql\n    return db.execute(query)\nOperationalError: no such table: nothing\n',
          result: { error: "OperationalError: no such table: nothing" },
        },
      ),
    ),
  connecting: () => run({ status: "pending", steps: [], first_chunk_s: null }),
  reasoning: () => run({ parts: parts(thought), tokens: 41 }),
  writing: () =>
    run({
      demo: true,
      model: "demo",
      tokens: 118,
      first_text_s: 3.6,
      parts: parts(
        { ...thought, last_s: 3.4 },
        {
          kind: "text",
          first_s: 3.6,
          text: "# What the data says\n\nRefunds are recorded as **negative rows**, so a plain `sum` is right:\n\n- August: 41,207 from 312 orders\n- September: 44,910 from 340 orders\n\nThat is a rise of [9 %](https://example.com/report). The query for it is",
        },
      ),
    }),
  streaming_args: () =>
    run({
      parts: parts(
        { kind: "text", text: "Let me look at the orders." },
        call(
          "run_sql",
          { query: "select strftime('%Y-%m', ordered_at) as mon" },
          { state: "streaming_args" },
        ),
      ),
    }),
  asked: () =>
    run({
      status: "completed",
      stopped_by: "calls",
      tokens: 214,
      usage,
      ended_s: 2.1,
      first_text_s: 0.9,
      parts: parts(
        { ...thought, first_s: 0.4, last_s: 3.5 },
        {
          kind: "text",
          first_s: 3.6,
          text: "Refunds are recorded as negative rows, so a plain sum is right. I would like to remove the 3 duplicated orders first:",
        },
        call("delete_rows", {
          table: "orders",
          where: "id in (1042, 1077, 1078)",
          limit: 3,
          dry_run: false,
          reason: null,
          note: "safe\u202Etxt.exe\u200B done",
          options: { cascade: true, tags: ["dup", "2026"] },
        }),
      ),
    }),
  acting: () =>
    run({
      status: "acting",
      tokens: 118,
      parts: parts(
        { kind: "text", text: "I will ask two sources." },
        call(
          "run_sql",
          { query: "select 1" },
          {
            state: "succeeded",
            result: {
              result: [
                { month: "2026-08", revenue: 41207, orders: 312 },
                { month: "2026-09", revenue: 44910, orders: 340 },
              ],
            },
          },
        ),
        call("get_weather", { city: "Paris", days: 3 }, { state: "running" }),
      ),
    }),
  done: () =>
    run({
      status: "completed",
      tokens: 1026,
      usage,
      ended_s: 4.8,
      first_text_s: 0.9,
      steps: [step(0, { ended_s: 2 }), step(1, { ended_s: 4.8 })],
      parts: parts(
        { ...thought, first_s: 0.4, last_s: 1.9 },
        call(
          "run_sql",
          {
            query:
              "select strftime('%Y-%m', ordered_at) as month, sum(amount) as revenue, count(*) as orders\nfrom orders\ngroup by 1",
            limit: 100,
          },
          {
            state: "succeeded",
            result: [
              { month: "2026-08", revenue: 41207, orders: 312 },
              { month: "2026-09", revenue: 44910, orders: 340 },
            ],
          },
        ),
        {
          kind: "text",
          step: 1,
          first_s: 3.6,
          text: "Revenue grew by **9 %** from August to September:\n\n| month | revenue | orders |\n|---|---:|---:|\n| 2026-08 | 41,207 | 312 |\n| 2026-09 | 44,910 | 340 |\n\n```sql\nselect strftime('%Y-%m', ordered_at) as month, sum(amount)\nfrom orders group by 1\n```\n\nThe mean order is worth $132.09.",
        },
      ),
    }),
  queued: () => run(queued),
  taken_back: () =>
    run({
      ...queued,
      status: "cancelled",
      stopped_by: "taken_back",
      ended_s: 0,
      notice: {
        level: "info",
        title: "Nothing was sent",
        message: "The prompt was taken back while it waited for its turn.",
      },
    }),
  stopped: () =>
    run({
      status: "cancelled",
      tokens: 37,
      ended_s: 1.84,
      first_text_s: 0.9,
      parts: parts({ kind: "text", text: "The three largest customers are Acme, Globex and" }),
      receipt: {
        by: "button",
        when: "mid-stream",
        asked_s: 1.84,
        closed_s: 1.841,
        chunks_after: 0,
        tokens: 37,
      },
    }),
  stopped_early: () =>
    run({
      status: "cancelled",
      ended_s: 0.2,
      first_chunk_s: null,
      steps: [],
      receipt: {
        by: "interrupt",
        when: "before the first chunk",
        asked_s: 0.2,
        closed_s: 0.2002,
        chunks_after: 0,
        tokens: null,
      },
    }),
  no_key: () =>
    run({
      status: "failed",
      ended_s: 0.01,
      first_chunk_s: null,
      steps: [],
      error: {
        type: "MissingKey",
        title: "No API key",
        message: "Neither GEMINI_API_KEY nor GOOGLE_API_KEY is set.",
        hint: 'Set GEMINI_API_KEY, or use model="demo" to try without one.',
        code: null,
        status: null,
      },
    }),
  too_many: () =>
    run({
      status: "failed",
      ended_s: 1.32,
      tokens: 20,
      parts: parts({ kind: "text", text: "A CRDT is a data type whose copies can be" }),
      error: {
        type: "ApiError",
        title: "Too many requests (429)",
        message: "You exceeded your current quota, please check your plan and billing details.",
        hint: "Wait 34 s and run the cell again, or use another model.",
        code: 429,
        status: "RESOURCE_EXHAUSTED",
      },
    }),
  max_tokens: () =>
    run({
      status: "completed",
      tokens: 256,
      usage,
      ended_s: 2.2,
      first_text_s: 0.7,
      steps: [step(0, { outcome: "truncated", finish_reason: "MAX_TOKENS" })],
      parts: parts({
        kind: "text",
        text: "Conflict-free replicated data types let every copy change on its own. When two copies meet, they",
      }),
      notice: {
        level: "warn",
        title: "The answer was cut off",
        message:
          "It reached the limit of 256 output tokens (MAX_TOKENS). Raise max_output_tokens to get the rest.",
      },
    }),
  sources: () =>
    run({
      status: "completed",
      tokens: 640,
      usage,
      ended_s: 3.1,
      first_text_s: 1.4,
      steps: [
        step(0, {
          grounding: [
            {
              webSearchQueries: ["euro 2024 winner", "euro 2024 final score"],
              groundingChunks: [
                {
                  web: {
                    uri: "https://vertexaisearch.cloud.google.com/grounding-api-redirect/AbC",
                    title: "uefa.com",
                  },
                },
                { web: { uri: "https://en.wikipedia.org/wiki/UEFA_Euro_2024", title: "UEFA Euro 2024" } },
                { web: { uri: "javascript:alert(1)", title: "not a link" } },
              ],
            },
          ],
          citations: [{ startIndex: 0, endIndex: 40, uri: "https://github.com/x/y", license: "mit" }],
          url_context: [
            { retrievedUrl: "https://example.org/a", urlRetrievalStatus: "URL_RETRIEVAL_STATUS_ERROR" },
          ],
        }),
      ],
      parts: parts({
        kind: "text",
        text: "Spain won Euro 2024, beating England 2–1 in the final in Berlin.",
      }),
    }),
  files: () =>
    run({
      status: "completed",
      tokens: 1310,
      ended_s: 6.4,
      first_text_s: 0.8,
      parts: parts(
        { kind: "text", text: "Here is the plot." },
        {
          kind: "code",
          code: "import matplotlib.pyplot as plt\nplt.plot([1, 4, 9])\nprint(sum([1, 4, 9]))",
          language: "PYTHON",
        },
        { kind: "code_result", output: "14\n", outcome: "OUTCOME_OK" },
        {
          kind: "file",
          mime_type: "image/png",
          size_bytes: 1580,
          data: wave,
          uri: null,
          name: null,
          cut: false,
        },
        {
          kind: "file",
          mime_type: "application/pdf",
          size_bytes: 482_113,
          data: "JVBERg==",
          uri: null,
          name: "report.pdf",
          cut: false,
        },
        {
          kind: "file",
          mime_type: "text/csv",
          size_bytes: null,
          data: null,
          uri: "https://example.com/files/abc",
          name: null,
          cut: false,
        },
      ),
    }),
  prose: () =>
    run({
      status: "completed",
      tokens: 90,
      ended_s: 2.2,
      first_text_s: 0.7,
      parts: parts({
        kind: "text",
        text: '# Two things to keep in mind\n\n> A quote that says little.\n\n1. First, `x < y`\n2. Then\n   - nested\n   - ~~wrong~~ right\n- [x] done\n- [ ] open\n\n---\n\n```python\ndef mean(xs: list[float]) -> float:\n    """The average."""\n    return sum(xs) / len(xs)  # no empty lists\n```\n\n![a plot](https://example.com/plot.png) and <b>html</b>',
      }),
    }),
  unknown: () =>
    run({
      status: "completed",
      tokens: 12,
      ended_s: 0.9,
      steps: [
        step(0, {
          candidates: [{ index: 1 }],
          prompt_feedback: { blockReason: "SAFETY" },
          other: { modelStatus: "x", safetyRatings: [{ category: "X", probability: "NEGLIGIBLE" }] },
        }),
      ],
      parts: parts(
        { kind: "text", text: "A part follows that nobody knows yet." },
        { kind: "other", raw: { hologram: { depth: 3 } } },
      ),
    }),
  long: () =>
    run({
      status: "completed",
      tokens: 4021,
      usage,
      ended_s: 21.2,
      first_text_s: 0.8,
      parts: parts({
        kind: "text",
        text: Array.from(
          { length: 40 },
          (_, i) =>
            `# Part ${i + 1}\n\nSome words about part ${i + 1}, long enough to fill a line or two of a notebook cell so that the card is higher than the window.\n`,
        ).join("\n"),
      }),
    }),
};
