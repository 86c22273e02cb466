// How a bundle is made: one recipe for the build and for the tests.
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { build, transform } from "esbuild";
import { minify } from "terser";
import { lexerSource, privateNames } from "./marked.mjs";

export const sources = join(dirname(fileURLToPath(import.meta.url)), "..");
const door = join(sources, "core.ts");
const buildIdFile = join(sources, "build_id.ts");
const kB = 1000;

/** The bundle that travels in every comm_open and every saved widget state, uncompressed, and what it may weigh. */
export const core = { name: "widget", entry: join(sources, "widget.ts"), raw: 150 * kB, gz: 46 * kB };

/** Modules are asked for when first needed. Their folders are the list of them. */
export const modules = readdirSync(join(sources, "modules"), { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => ({
    name,
    entry: join(sources, "modules", name, "index.ts"),
    raw: Number.POSITIVE_INFINITY,
    // Temml alone is twice as large.
    gz: name === "math" ? 75 * kB : 30 * kB,
  }));

/** What becomes part of a bundle or decides how it is made, by name in code units. hatch_build.py reads the same. */
function sourceFiles() {
  return readdirSync(sources, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /(?<!\.test|\.d)\.(ts|css|mjs)$/.test(entry.name))
    .map(({ parentPath, path, name }) => join(parentPath ?? path, name))
    .filter((path) => !path.includes(`${sep}node_modules${sep}`))
    .map((path) => [relative(sources, path).split(sep).join("/"), path])
    .sort(([one], [other]) => (one < other ? -1 : 1));
}

/** The packages that are bundled, and those that bundle. */
const packages = ["esbuild", "highlight.js", "marked", "temml", "terser"];

/** The same for the same sources, on any machine: pages never mix two builds. */
export function buildId() {
  const hash = createHash("sha256");
  for (const [name, path] of sourceFiles()) hash.update(`${name}\0`).update(readFileSync(path)).update("\0");
  const lock = JSON.parse(readFileSync(join(sources, "..", "package-lock.json"), "utf8")).packages;
  for (const name of packages) hash.update(`${name}@${lock[`node_modules/${name}`].version}\0`);
  return hash.digest("hex").slice(0, 12);
}

/** A change of any source makes every bundle anew when it is watched, since all carry the same id. */
const identified = {
  name: "build-id",
  setup(builder) {
    builder.onLoad({ filter: /build_id\.ts$/ }, ({ path }) => {
      if (path !== buildIdFile) return undefined;
      const contents = `export const BUILD_ID = ${JSON.stringify(buildId())};`;
      return { contents, loader: "ts", watchFiles: sourceFiles().map(([, file]) => file) };
    });
  },
};

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

/**
 * What a module imports from core.ts is looked up on the page, where widget.ts has put it: otherwise every module would
 * carry its own copy.
 */
const throughTheDoor = {
  name: "door",
  setup(builder) {
    builder.onLoad({ filter: /core\.ts$/ }, async ({ path }) => {
      if (path !== door) return undefined;
      const contents = `
        import { BUILD_ID } from "./build_id.ts";
        const core = globalThis[Symbol.for("gemstream/" + BUILD_ID)];
        if (!core) throw new Error("This module belongs to build " + BUILD_ID + " of gemstream_widget, which is not on this page.");
        export const { ${(await namesOf(path)).join(", ")} } = core;`;
      return { contents, loader: "ts", resolveDir: sources, watchFiles: [path] };
    });
  },
};

async function namesOf(entry) {
  const { metafile } = await build({ ...common, entryPoints: [entry], write: false, metafile: true });
  return Object.values(metafile.outputs)[0].exports;
}

const markedSource = readFileSync(createRequire(import.meta.url).resolve("marked"), "utf8");

const common = {
  bundle: true,
  format: "esm",
  target: "es2022",
  minify: true,
  charset: "utf8",
  legalComments: "none",
  logLevel: "warning",
  outdir: sources, // where nothing is written: `write` says so, or `outfile` another place
  plugins: [identified, cssText, lexerOnly],
};

/** For bundles with marked in them. */
const withMarked = { ...common, mangleProps: new RegExp(`^(?:${privateNames(markedSource).join("|")})$`) };

/** esbuild's options for one of the bundles above. */
export function optionsOf(bundle) {
  if (bundle === core) return { ...withMarked, entryPoints: [bundle.entry] };
  return { ...common, entryPoints: [bundle.entry], plugins: [throughTheDoor, ...common.plugins] };
}

/** esbuild's options for a page of the tests that draws with the sources themselves. */
export function pageOptions(entry) {
  return { ...withMarked, entryPoints: [entry], format: "iife" };
}

/**
 * What esbuild leaves, terser makes smaller still, by a kilobyte and a half of the core's when gzipped. What makes code
 * shorter but less alike (functions, statements and returns drawn together, comparisons turned round) is off: gzip makes
 * more of code that is alike.
 */
export async function tighten(code) {
  const compress = { passes: 3, inline: 1, sequences: false, if_return: false, lhs_constants: false };
  const result = await minify(code, { module: true, ecma: 2020, compress });
  return result.code;
}

/** The text of a bundle. */
export async function textOf(bundle) {
  const { outputFiles } = await build({ ...optionsOf(bundle), write: false });
  return tighten(outputFiles[0].text);
}
