// The licences of what others wrote and is part of what is handed out.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "./prepare.mjs";

/** Folders of the packages that went into a bundle, as in package-lock.json: "node_modules/zod". */
export function bundled({ inputs }) {
  const folder = /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/;
  return Object.keys(inputs).flatMap((path) => folder.exec(path)?.[0] ?? []);
}

/** THIRD_PARTY_LICENSES in `target`: name, version, licence and its text for each package of others. */
export function writeLicences(folders, target) {
  const sections = [...new Set(folders)].sort().map((folder) => {
    const { name, version, license } = JSON.parse(readFileSync(`${root}${folder}/package.json`, "utf8"));
    const files = readdirSync(`${root}${folder}`).filter((file) => /^(licen[cs]e|notice|copying)/i.test(file));
    const texts = files.map((file) => readFileSync(`${root}${folder}/${file}`, "utf8").trim());
    if (license === undefined && texts.length === 0) throw new Error(`${folder} has no licence`);
    return [`${name} ${version} (${license ?? "see below"})`, ...texts].join("\n\n");
  });
  const head = "dns01 contains these packages, each under its own licence.";
  writeFileSync(
    join(target, "THIRD_PARTY_LICENSES"),
    `${[head, ...new Set(sections)].join(`\n\n${"-".repeat(80)}\n\n`)}\n`,
  );
}
