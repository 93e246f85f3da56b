import { spawnSync } from "node:child_process";
import { parseArgs } from "node:util";
import { type DomainName, parseName } from "../../src/core/name.ts";
import { startSandbox } from "../../src/sandbox/index.ts";
import { median, table } from "../issue/measure.ts";
import { type Disguise, makeDisguise } from "./disguise.ts";
import { measureDns01 } from "./dns01.ts";
import { measureLego } from "./lego.ts";
import { type Measured, many, type Operation, operations, type Scene, sceneOf, zone } from "./scene.ts";
import { type Subject, subjects } from "./subjects.ts";
import { startTap } from "./tap.ts";

type Results = ReadonlyMap<Operation, Measured>;

const owners: readonly DomainName[] = [zone, `www.${zone}`, ...many].map((name) =>
  parseName(`_acme-challenge.${name}`),
);

/** Prints a table for each service. */
export async function main(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      runs: { type: "string", default: "3" },
      latency: { type: "string", default: "20" },
      only: { type: "string" },
    },
  });
  const runs = Number(values.runs);
  const latencyMs = Number(values.latency);
  const only = values.only?.split(",");
  const version = spawnSync("lego", ["--version"], { encoding: "utf8" });
  const hasLego = version.status === 0;
  console.log(
    `Fakes of the services on loopback, ${latencyMs} ms per request, median of ${runs}; calls, and milliseconds from the first ` +
      "request to the last answer (polls of asynchronous changes in brackets). Published rate limits are kept.",
  );
  const hosts = subjects.flatMap(({ lego }) => (typeof lego === "string" ? [] : (lego.hosts ?? [])));
  const disguise = await makeDisguise(hosts);
  for (const subject of subjects.filter(({ id }) => only?.includes(id) ?? true)) {
    const ours: Results[] = [];
    const theirs: Results[] = [];
    let reason = hasLego ? "" : "lego is not installed (Debian package lego)";
    if (typeof subject.lego === "string") reason = subject.lego;
    for (let run = 0; run < runs; run++) {
      ours.push(await onFreshFake(subject, latencyMs, measureDns01));
      if (reason !== "") continue;
      try {
        theirs.push(await legoOnce(subject, latencyMs, disguise));
      } catch (error) {
        reason = `lego failed: ${error instanceof Error ? error.message : error}`;
      }
    }
    const head = ["operation", "dns01", ...(theirs.length > 0 ? ["lego"] : [])];
    const rows = operations.map((operation) => [
      operation,
      shown(operation, ours),
      ...(theirs.length > 0 ? [shown(operation, theirs)] : []),
    ]);
    const notes = [noteOf(subject), reason].filter((note) => note !== "");
    console.log(`\n${subject.id}\n\n${table(head, rows)}${notes.length > 0 ? `\n\n${notes.join("\n")}` : ""}`);
  }
}

async function onFreshFake(
  subject: Subject,
  latencyMs: number,
  work: (scene: Scene) => Promise<Results>,
  afterAnswer: (served: (owner: DomainName) => readonly string[]) => void = () => {},
): Promise<Results> {
  const apex = parseName(zone);
  const fake = await subject.start([apex]);
  fake.http.setLatency(() => latencyMs);
  const tap = await startTap(fake.http.port, () => afterAnswer((owner) => fake.values(apex, owner)));
  try {
    return await work(sceneOf(subject, fake, tap));
  } finally {
    tap.close();
    await (fake.stop?.() ?? fake.http.close());
  }
}

/** The sandbox's nameservers serve what the fake holds, so that the CA finds what lego wrote there. */
async function legoOnce(subject: Subject, latencyMs: number, disguise: Disguise): Promise<Results> {
  const { lego } = subject;
  if (typeof lego === "string") throw new Error(lego);
  const sandbox = await startSandbox();
  try {
    return await onFreshFake(
      subject,
      latencyMs,
      (scene) => measureLego(scene, lego, sandbox, disguise),
      (served) => {
        for (const owner of owners) {
          const there = sandbox.zone.txt(owner);
          const wanted = served(owner);
          if (there.length === wanted.length && wanted.every((value) => there.includes(value))) continue;
          sandbox.zone.remove(owner);
          for (const value of wanted) sandbox.zone.addTxt(owner, value);
        }
      },
    );
  } finally {
    await sandbox.close();
  }
}

function shown(operation: Operation, runs: readonly Results[]): string {
  const all = runs.flatMap((results) => results.get(operation) ?? []);
  if (all.length === 0) return "–";
  const polls = median(all.map((measured) => measured.polls));
  const calls = median(all.map((measured) => measured.calls));
  return `${calls}${polls > 0 ? ` (+${polls})` : ""} calls, ${Math.round(median(all.map(({ ms }) => ms)))} ms`;
}

function noteOf({ lego }: Subject): string {
  if (typeof lego === "string" || lego.hosts === undefined) return "";
  return `lego knows no other address than ${lego.hosts.join(", ")}: reached by HTTPS_PROXY and a root in SSL_CERT_FILE.`;
}
