// Bundles the harness for the browser tests.
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
await build({
  entryPoints: [join(here, "harness.ts")],
  outfile: join(here, "..", "..", "out", "page", "harness.js"),
  bundle: true,
  format: "esm",
  target: "es2022",
  logLevel: "warning",
});
