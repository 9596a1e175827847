// Bundles the page's program, style and licences into one module: src/fastbp/page/page.js.

import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { build, transform } from "esbuild";

const OUT = new URL("../src/fastbp/page/page.js", import.meta.url);
const MODULES = new URL("node_modules/", import.meta.url);

const { metafile, outputFiles } = await build({
  absWorkingDir: new URL(".", import.meta.url).pathname,
  entryPoints: ["src/main.js"],
  bundle: true,
  minify: true,
  format: "esm",
  target: ["chrome111", "firefox115", "safari16.4"],
  charset: "utf8",
  plugins: [{ name: "style", setup: (bundle) => bundle.onLoad({ filter: /\.css$/ }, styleAsText) }],
  legalComments: "none", // they come whole, below
  metafile: true,
  write: false,
});

/** A style sheet as a text of the program. */
async function styleAsText({ path }) {
  const { code } = await transform(readFileSync(path, "utf8"), { loader: "css", minify: true });
  return { contents: code, loader: "text" };
}

const names = Object.keys(metafile.inputs)
  .map((path) => path.match(/^node_modules\/((?:@[^/]+\/)?[^/]+)/)?.[1])
  .filter(Boolean);
const licences = [...new Set(names)].sort().map((name) => {
  const folder = new URL(`${name}/`, MODULES);
  const { version } = JSON.parse(readFileSync(new URL("package.json", folder), "utf8"));
  const file = readdirSync(folder).find((one) => /^licen[cs]e/i.test(one));
  return `${name} ${version}\n\n${readFileSync(new URL(file, folder), "utf8").trim()}`;
});

const head = "Built by `npm run build` in page/ of fastbp; do not edit. It contains these packages:";
const program = outputFiles[0].text.trim();
if (/<\/script|<!--/i.test(program)) throw new Error("the program would end the element that it stands in");
writeFileSync(OUT, `/*!\n${[head, ...licences].join("\n\n---\n\n").replaceAll("*/", "* /")}\n*/\n${program}\n`);
console.log(`${OUT.pathname}: ${Math.round(program.length / 1024)} KiB of program, ${licences.length} licences`);
