// What bundles are made of: the same id for the same sources, and modules that hold nothing of the core.
import { readFileSync } from "node:fs";
import { build } from "esbuild";
import { afterEach, expect, it, vi } from "vitest";
// @ts-expect-error: plain JavaScript, for node
import { buildId, core, modules, optionsOf, textOf } from "./bundle.mjs";

vi.setConfig({ testTimeout: 30_000 }); // whole builds

interface Bundle {
  name: string;
  entry: string;
}
const all: Bundle[] = [core, ...modules];

async function madeOf(bundle: Bundle): Promise<string[]> {
  const { metafile } = await build({ ...optionsOf(bundle), write: false, metafile: true });
  const [output] = Object.values(metafile!.outputs);
  return Object.entries(output!.inputs)
    .filter(([, { bytesInOutput }]) => bytesInOutput > 0)
    .map(([name]) => name.replace(/^(.*?\/)?js\//, ""));
}

const key = Symbol.for(`gemstream/${buildId()}`);
const page = globalThis as { [key: symbol]: unknown };

afterEach(() => {
  delete page[key];
});

function run(text: string): Promise<unknown> {
  return import(/* @vite-ignore */ `data:text/javascript;base64,${Buffer.from(text).toString("base64")}`);
}

it("knows the modules by their folders", () => {
  expect(modules.map(({ name }: Bundle) => name)).toEqual(["approval", "highlight", "math", "sources"]);
});

it.each(all.slice(1))("$name holds no code of the core", async (bundle) => {
  const inputs = await madeOf(bundle);
  const own = new RegExp(`^modules/${bundle.name}/|^(?:core|build_id)\\.ts$|node_modules/`);
  expect(inputs.filter((name) => !own.test(name))).toEqual([]);
  expect(inputs.length).toBeGreaterThan(1);
});

it("the core holds what modules look up, and none of them", async () => {
  const inputs = await madeOf(core);
  expect(inputs).toContain("dom/dom.ts");
  expect(inputs).toContain("parts/values.ts");
  expect(inputs.filter((name) => name.startsWith("modules/"))).toEqual([]);
});

it("a module says which core is missing, and runs where it is there", async () => {
  const approval = modules.find(({ name }: Bundle) => name === "approval");
  const text = await textOf(approval);
  await expect(run(text)).rejects.toThrow(
    `build ${buildId()} of gemstream_widget, which is not on this page`,
  );
  // Another release's core is none.
  page[Symbol.for("gemstream/000000000000")] = {};
  await expect(run(`${text}\n// again`)).rejects.toThrow("is not on this page");
  page[key] = await import("../core.ts");
  const module = (await run(`${text}\n// once more`)) as Record<string, unknown>;
  expect(Object.keys(module).sort()).toEqual(["css", "openDesk"]);
});

it("every bundle that asks for the id is given the same", async () => {
  const texts = await Promise.all(
    [core, modules.find(({ name }: Bundle) => name === "approval")].map(textOf),
  );
  for (const text of texts) expect(text).toContain(buildId());
  expect(buildId()).toMatch(/^[0-9a-f]{12}$/);
  // In the sources themselves there is none.
  expect(readFileSync(new URL("../build_id.ts", import.meta.url), "utf8")).not.toContain(buildId());
});
