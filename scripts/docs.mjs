// npm run docs [-- --check]
//
// Writes docs/providers/<id>.md (fields from the provider's schema, prose from docs/providers/parts/<id>.md), the table
// of them in docs/providers/README.md and their number in README.md. With --check nothing is written, and what would
// change is a failure.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { root } from "./prepare.mjs";

const check = process.argv.includes("--check");
/** Nothing to sign in to, nothing to explain: it exists for tests. */
const undocumented = ["memory"];
const stale = [];

const ids = ask().providers.map((provider) => provider.id);
const documented = ids.filter((id) => !undocumented.includes(id)).map((id) => ask(id));
for (const provider of documented) put(`docs/providers/${provider.id}.md`, page(provider));
put("docs/providers/README.md", overview(documented));
put("README.md", withNumber(readFileSync(`${root}README.md`, "utf8"), documented.length));
if (stale.length > 0) {
  console.error(`out of date: ${stale.join(", ")}; run npm run docs`);
  process.exitCode = 1;
}

function ask(...args) {
  const command = [`${root}dist/cli/main.js`, "providers", ...args, "--json"];
  const { stdout, stderr, status } = spawnSync(process.execPath, command, { encoding: "utf8" });
  if (status !== 0) throw new Error(`dns01 providers ${args.join(" ")} failed: ${stderr}`);
  return JSON.parse(stdout);
}

function put(path, text) {
  const before = existsSync(`${root}${path}`) ? readFileSync(`${root}${path}`, "utf8") : undefined;
  if (before === text) return;
  if (check) stale.push(path);
  else writeFileSync(`${root}${path}`, text);
}

function page(provider) {
  const prose = readFileSync(`${root}docs/providers/parts/${provider.id}.md`, "utf8").trim();
  const cut = prose.search(/^## /m);
  const [intro, rest] = cut === -1 ? [prose, ""] : [prose.slice(0, cut).trim(), prose.slice(cut)];
  return `${[
    `<!-- Made by npm run docs from the provider's schema and docs/providers/parts/${provider.id}.md. -->`,
    `# ${provider.id}: ${provider.title}`,
    ...(provider.docs === undefined ? [] : [`API: <${provider.docs}>`]),
    intro,
    "## Fields",
    fieldTable(provider.fields),
    "Every environment name has a `_FILE` form that names a file with the value. Secrets have no flag, since argument lists are public.",
    ...(rest === "" ? [] : [rest]),
  ].join("\n\n")}\n`;
}

function fieldTable(fields) {
  const rows = fields.map((field) => {
    const usual = [undefined, ""].includes(field.default) ? "" : ` Default \`${field.default}\`.`;
    const choices = field.choices === undefined ? "" : ` One of ${field.choices.map(code).join(", ")}.`;
    const meaning = `${field.required ? "**required**: " : ""}${field.description}.${choices}${usual}`;
    const names = [field.name, ...field.aliases].map(code).join(", ");
    return [names, field.env.map(code).join(", "), field.flag === undefined ? "secret" : code(field.flag), meaning];
  });
  return table(["field", "environment", "flag", "meaning"], rows);
}

function overview(providers) {
  const rows = providers.map((p) => [code(p.id), p.title, `[fields, permissions, example](${p.id}.md)`]);
  const made = "<!-- Made by npm run docs. -->";
  return `${[made, "# Providers", table(["id", "service", ""], rows)].join("\n\n")}\n`;
}

function withNumber(readme, count) {
  const marked = /<!-- providers -->.*<!-- \/providers -->/s;
  if (!marked.test(readme)) throw new Error("README.md has no <!-- providers --> … <!-- /providers --> to fill");
  return readme.replace(marked, () => `<!-- providers -->${count}<!-- /providers -->`);
}

function table(head, rows) {
  const line = (cells) => `| ${cells.map((cell) => cell.replaceAll("|", "\\|").replaceAll("\n", " ")).join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}

function code(text) {
  return `\`${text}\``;
}
