// npm run docs [-- --check]
//
// What the chart takes from elsewhere: the providers there are, into files/providers.json and values.schema.json; the
// comments of values.yaml, as descriptions into values.schema.json and as a table into charts/dns01/README.md. With
// --check nothing is written, and what would change is a failure.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { isMap, parseDocument } from "yaml";
import { root } from "./prepare.mjs";

const check = process.argv.includes("--check");
const stale = [];
const chart = "charts/dns01";
/** Served only when asked for by name: one is for tests, the other runs programs. */
const notByDefault = ["exec", "memory"];

const providers = knownProviders();
put(`${chart}/files/providers.json`, `${JSON.stringify(providers, undefined, 2)}\n`);
const values = documentedValues(read(`${chart}/values.yaml`));
const schema = JSON.parse(read(`${chart}/values.schema.json`));
schema.properties.providers.items.enum = providers.all.filter((id) => id !== "exec");
for (const { path, description } of values) describe(path, description);
put(`${chart}/values.schema.json`, `${JSON.stringify(schema, undefined, 2)}\n`);
put(`${chart}/README.md`, withTable(read(`${chart}/README.md`)));
if (stale.length > 0) {
  console.error(`out of date: ${stale.join(", ")}; run npm run docs`);
  process.exitCode = 1;
}

function knownProviders() {
  const command = [`${root}dist/cli/main.js`, "providers", "--json"];
  const { stdout, stderr, status } = spawnSync(process.execPath, command, { encoding: "utf8" });
  if (status !== 0) throw new Error(`dns01 providers failed: ${stderr}`);
  // For tests, so `dns01 providers` does not list it; the webhook serves it where --providers names it.
  const all = ["memory", ...JSON.parse(stdout).providers.map(({ id }) => id)].sort();
  return { all, default: all.filter((id) => !notByDefault.includes(id)) };
}

/** Each value that is no map with keys of its own, with the comment above it. */
function documentedValues(text) {
  const found = [];
  const collect = (map, parents, inherited) => {
    for (const { key, value } of map.items) {
      const path = [...parents, key.value];
      // The first key's comment is the map's, for the parser.
      const first = map.items[0]?.key === key ? map.commentBefore : undefined;
      const description = asSentence(key.commentBefore ?? first) ?? inherited;
      if (isMap(value) && value.items.length > 0 && description === undefined) collect(value, path);
      else if (description === undefined) throw new Error(`values.yaml: ${path.join(".")} has no comment`);
      else found.push({ path, description, value: value.toJSON() });
    }
  };
  collect(parseDocument(text).contents, []);
  return found;
}

/** Of several blocks of comments the last is the value's own. */
function asSentence(comment) {
  const last = comment?.split(/\n\s*\n/).at(-1);
  return last
    ?.split("\n")
    .map((line) => line.trim())
    .join(" ");
}

function describe(path, description) {
  let at = schema;
  for (const key of path) {
    at = at.properties?.[key];
    if (at === undefined) throw new Error(`values.schema.json: ${path.join(".")} is missing`);
  }
  at.description = description;
}

function withTable(readme) {
  const row = ({ path, description, value }) => [code(path.join(".")), description, code(JSON.stringify(value))];
  const cells = (all) => `| ${all.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  const lines = [["value", "meaning", "default"], ["---", "---", "---"], ...values.map(row)].map(cells);
  const marked = /<!-- values -->.*<!-- \/values -->/s;
  if (!marked.test(readme)) throw new Error("the chart's README.md has no <!-- values --> … <!-- /values --> to fill");
  return readme.replace(marked, () => `<!-- values -->\n${lines.join("\n")}\n<!-- /values -->`);
}

function code(text) {
  return `\`${text}\``;
}

function read(path) {
  return readFileSync(`${root}${path}`, "utf8");
}

function put(path, text) {
  const before = existsSync(`${root}${path}`) ? read(path) : undefined;
  if (before === text) return;
  if (check) stale.push(path);
  else writeFileSync(`${root}${path}`, text);
}
