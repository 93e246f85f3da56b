// node scripts/image.mjs FOLDER
//
// The runtime tree of the container image: the program with every provider's SDK in few files, the one package that
// stays a package with what it needs, and the licences of all of it. Needs nothing but `npm ci` before.
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { bundle } from "./bundle.mjs";
import { bundled, writeLicences } from "./licences.mjs";
import { root } from "./prepare.mjs";

const out = process.argv[2];
if (out === undefined) {
  console.error("usage: node scripts/image.mjs FOLDER");
  process.exit(2);
}
const target = resolve(out);
if (existsSync(target) && readdirSync(target).length > 0) {
  console.error(`${out} is not empty`);
  process.exit(2);
}

mkdirSync(target, { recursive: true });
const metafile = await bundle(join(target, "dist"), { sdks: true, small: true });
const copied = copyWithDependencies("acme-client");
writePackage();
writeLicences([...bundled(metafile), ...copied], target);
console.log(`${out}: ${(sizeOf(target) / 1e6).toFixed(1)} MB`);

/** One package and all it depends on, without what only people and compilers read. Answers their folders. */
function copyWithDependencies(name) {
  const { packages } = JSON.parse(readFileSync(`${root}package-lock.json`, "utf8"));
  const found = new Set();
  const add = (folder) => {
    if (found.has(folder)) return;
    found.add(folder);
    for (const dependency of Object.keys(packages[folder].dependencies ?? {}))
      add(whereIs(packages, dependency, folder));
  };
  add(`node_modules/${name}`);
  for (const folder of found) {
    cpSync(`${root}${folder}`, join(target, folder), {
      recursive: true,
      filter: (path) => isRun(path, `${root}${folder}`),
    });
    dropUnusedBuilds(join(target, folder));
  }
  return found;
}

/** As Node looks for it: beside, then further up. */
function whereIs(packages, name, from) {
  for (let at = from; ; at = at.slice(0, at.lastIndexOf("/node_modules/"))) {
    if (packages[`${at}/node_modules/${name}`] !== undefined) return `${at}/node_modules/${name}`;
    if (!at.includes("/node_modules/")) return `node_modules/${name}`;
  }
}

function isRun(path, folder) {
  if (statSync(path).isDirectory()) return path === folder || !/\/(node_modules|tests?|docs?|examples?)$/.test(path);
  return /\.(c|m)?js$|\.json$|^(licen[cs]e|notice|copying)/i.test(path.slice(path.lastIndexOf("/") + 1));
}

/** For browsers, and a second time compressed. */
function dropUnusedBuilds(folder) {
  for (const file of readdirSync(folder, { recursive: true, encoding: "utf8" })) {
    if (/\.min\.js$|(^|\/)dist\/(browser|esm)(\/|$)/.test(file))
      rmSync(join(folder, file), { recursive: true, force: true });
  }
}

function writePackage() {
  const { name, version, description, license, type, engines, bin } = JSON.parse(
    readFileSync(`${root}package.json`, "utf8"),
  );
  const text = JSON.stringify({ name, version, description, license, private: true, type, engines, bin }, undefined, 2);
  writeFileSync(join(target, "package.json"), `${text}\n`);
  cpSync(`${root}LICENSE`, join(target, "LICENSE"));
}

function sizeOf(path) {
  const stat = statSync(path);
  if (!stat.isDirectory()) return stat.size;
  return readdirSync(path).reduce((sum, name) => sum + sizeOf(join(path, name)), 0);
}
