// Builds the bundles that ship inside the Python package, and fails when one outgrows its budget.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build, context, transform } from "esbuild";
import { minify } from "terser";
import { lexerSource } from "./marked.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const out = join(here, "..", "gemstream_widget", "static");
const kB = 1000;

/** Bytes allowed per bundle. widget.js travels in every comm_open and every saved widget state, uncompressed. */
const core = { entry: "widget.ts", out: "widget.js", raw: 150 * kB, gz: 45 * kB };
/** Asked for over the comm when first needed. */
const modules = [
  { entry: "modules/approval/index.ts", out: "approval.js", raw: 45 * kB, gz: 15 * kB },
  { entry: "modules/highlight/index.ts", out: "highlight.js", raw: 120 * kB, gz: 40 * kB },
  { entry: "modules/math/index.ts", out: "math.js", raw: 220 * kB, gz: 75 * kB },
];

const options = ({ entry, out: name }) => ({
  entryPoints: [join(here, entry)],
  outfile: join(out, name),
  bundle: true,
  format: "esm",
  target: "es2022",
  minify: true,
  charset: "utf8",
  legalComments: "none",
  loader: { ".css": "text" },
  plugins: [cssText, lexerOnly],
  logLevel: "warning",
  define: { BUILD_ID: JSON.stringify(modulesId()) },
});

/** Pages that share modules by this id never mix two builds. */
function modulesId() {
  const hash = createHash("sha256");
  for (const { out: name } of modules)
    if (existsSync(join(out, name))) hash.update(readFileSync(join(out, name)));
  return hash.digest("hex").slice(0, 12);
}

/** CSS arrives as text, without what only its authors need. */
const cssText = {
  name: "css-text",
  setup(builder) {
    builder.onLoad({ filter: /\.css$/ }, async ({ path }) => {
      const { code } = await transform(readFileSync(path, "utf8"), { loader: "css", minify: true });
      return { contents: code.trim(), loader: "text" };
    });
  },
};

/** A release of marked that looks different from what marked.mjs expects stays whole. */
const lexerOnly = {
  name: "marked-lexer-only",
  setup(builder) {
    builder.onLoad({ filter: /marked[\\/]lib[\\/]marked\.esm\.js$/ }, ({ path }) => {
      const source = readFileSync(path, "utf8");
      const lexer = lexerSource(source);
      if (!lexer)
        console.warn("marked: its file looks different from what marked.mjs expects, bundled whole");
      return { contents: lexer ?? source, loader: "js" };
    });
  },
};

/** What esbuild leaves, terser makes a kilobyte smaller when gzipped: worth it where every saved widget carries it. */
async function tighten({ out: name }) {
  const path = join(out, name);
  const { code } = await minify(readFileSync(path, "utf8"), {
    module: true,
    ecma: 2020,
    compress: { passes: 3 },
  });
  writeFileSync(path, code);
}

function report() {
  let fits = true;
  for (const bundle of [core, ...modules]) {
    const path = join(out, bundle.out);
    const raw = statSync(path).size;
    const gz = gzipSync(readFileSync(path), { level: 9 }).length;
    const over = raw > bundle.raw || gz > bundle.gz;
    fits &&= !over;
    const budget = `${bundle.raw / kB} kB, ${bundle.gz / kB} kB gzipped`;
    const size = `${(raw / kB).toFixed(1)} kB, ${(gz / kB).toFixed(1)} kB gzipped`;
    console.log(`${bundle.out}: ${size}${over ? `, OVER its budget of ${budget}` : ""}`);
  }
  return fits;
}

mkdirSync(out, { recursive: true });
if (process.argv.includes("--watch")) {
  for (const bundle of [core, ...modules]) await (await context(options(bundle))).watch();
  console.log("watching");
} else {
  await Promise.all(modules.map((bundle) => build(options(bundle))));
  await build(options(core));
  await tighten(core);
  if (!report()) process.exit(1);
}
