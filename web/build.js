// Writes the module of the notebook's widget. Its first line has a digest of all sources,
// by which the tests, which need no npm, recognise a module that is out of date.
import { createHash } from "node:crypto";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";

const here = import.meta.dirname;
const explorer = join(here, "../src/keras_explainable/explorer");
const filesIn = (folder) => readdirSync(folder).sort().map((name) => join(folder, name));
const sources = [...filesIn(here).filter((path) => path.endsWith(".js")), ...filesIn(join(explorer, "static"))];
const digest = createHash("sha256");
for (const source of sources) digest.update(readFileSync(source));

await build({
  entryPoints: [join(here, "widget.js")],
  outfile: join(explorer, "widget.js"),
  banner: { js: `// Made by \`npm run build\` in web/ from ${digest.digest("hex")}` },
  bundle: true,
  charset: "utf8",
  format: "esm",
  loader: { ".html": "text", ".css": "text" },
  logLevel: "info",
  minify: true,
});
