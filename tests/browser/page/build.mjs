// Bundles what the pages of the browser tests load: node tests/browser/page/build.mjs [folder]
import { writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { pageOptions, tighten } from "../../../js/build/bundle.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const folder = process.argv[2] ?? join(here, "..", "..", "out", "page");

/** The naive page: what a notebook cell does that hands the parser's HTML to innerHTML. */
const naive = "import { marked } from 'marked'; globalThis.naive = text => marked.parse(text);";

const { outdir: _, ...options } = pageOptions(join(here, "harness.ts"));
await build({ ...options, format: "esm", outfile: join(folder, "harness.js") });
// With marked as it ships: its lexer alone, minified the same way.
const { outputFiles } = await build({ ...pageOptions(join(here, "markdown.ts")), write: false });
writeFileSync(join(folder, "markdown.js"), await tighten(outputFiles[0].text));
await build({
  stdin: { contents: naive, resolveDir: here },
  bundle: true,
  format: "iife",
  target: "es2022",
  outfile: join(folder, "naive.js"),
});
