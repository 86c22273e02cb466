// Builds the bundles that ship inside the Python package, and fails when one outgrows its budget.
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { context } from "esbuild";
import { buildId, core, modules, optionsOf, sources, textOf } from "./bundle.mjs";

const out = join(sources, "..", "gemstream_widget", "static");
/** Which build lies there, whole: hatch_build.py packs nothing else. */
const stamp = join(out, "build.json");
const bundles = [core, ...modules];
const fileOf = ({ name }) => `${name}.js`;

function isWithinBudget(bundle, text) {
  const raw = Buffer.byteLength(text);
  const gz = gzipSync(text, { level: 9 }).length;
  const kB = (bytes) => `${(bytes / 1000).toFixed(1)} kB`;
  const over = raw > bundle.raw || gz > bundle.gz;
  const budget = over ? `, OVER its budget of ${kB(bundle.raw)}, ${kB(bundle.gz)} gzipped` : "";
  console.log(`${fileOf(bundle)}: ${kB(raw)}, ${kB(gz)} gzipped${budget}`);
  return !over;
}

mkdirSync(out, { recursive: true });
rmSync(stamp, { force: true });
if (process.argv.includes("--watch")) {
  for (const bundle of bundles) {
    const { outdir: _, ...options } = optionsOf(bundle);
    await (await context({ ...options, outfile: join(out, fileOf(bundle)) })).watch();
  }
  console.log("watching");
} else {
  const id = buildId();
  const texts = await Promise.all(bundles.map(textOf));
  const files = Object.fromEntries(
    texts.map((text, index) => [fileOf(bundles[index]), createHash("sha256").update(text).digest("hex")]),
  );
  // What is left of a module that is gone would be offered to pages.
  for (const name of readdirSync(out)) if (name.endsWith(".js") && !(name in files)) rmSync(join(out, name));
  for (const [index, text] of texts.entries()) writeFileSync(join(out, fileOf(bundles[index])), text);
  const fits = texts.map((text, index) => isWithinBudget(bundles[index], text));
  if (!fits.every(Boolean)) process.exit(1);
  writeFileSync(stamp, `${JSON.stringify({ id, files }, null, 2)}\n`);
}
