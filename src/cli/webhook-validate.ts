import { readFile } from "node:fs/promises";
import { text as readStream } from "node:stream/consumers";
import { counted } from "../core/counted.ts";
import { ConfigError, type ConfigIssue } from "../core/errors.ts";
import { parseAllowedEndpoints } from "../webhook/solve/endpoints.ts";
import type { Fault } from "../webhook/validate/fault.ts";
import { isIssuer, type ValidateRules, validateIssuer } from "../webhook/validate/issuer.ts";
import { type Manifest, type Place, readManifests } from "../webhook/validate/manifest.ts";
import { rulesOf } from "../webhook/validate/rules.ts";
import { type Command, type CommandInput, failOn } from "./command.ts";
import { errorDocument } from "./output.ts";

interface Told extends Place {
  readonly level: Fault["level"];
  readonly message: string;
}

interface CheckedIssuer {
  readonly file: string;
  readonly kind: string;
  readonly name: string;
  readonly namespace: string | undefined;
  readonly solvers: readonly { readonly groupName: string; readonly solverName: string; readonly path: string }[];
}

/** `dns01 webhook validate`: reads manifests and says everything that the webhook would refuse; nothing is called. */
export const command: Command = {
  async run(input) {
    const rules = await readRules(input);
    const told: Told[] = [];
    const issuers: CheckedIssuer[] = [];
    for (const file of input.flags.positionals) {
      const text = await readText(file, input);
      if (typeof text !== "string") {
        told.push({ file, line: 0, path: "", level: "fault", message: text.message });
        continue;
      }
      const { manifests, faults } = readManifests(file === "-" ? "stdin" : file, text);
      told.push(...faults.map(({ place, message }) => ({ ...place, level: "fault" as const, message })));
      for (const manifest of manifests) await check(manifest, rules, told, issuers);
    }
    return report(told, issuers, rules);
  },
};

async function readRules({ flags, issues, registry }: CommandInput): Promise<ValidateRules> {
  const all: ConfigIssue[] = [...issues];
  let allowed: ReturnType<typeof parseAllowedEndpoints> = [];
  try {
    allowed = parseAllowedEndpoints(flags.list("allowed-endpoint"));
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    all.push(...error.issues);
  }
  failOn(all);
  return await rulesOf(registry, {
    groups: [...new Set(flags.list("group-name"))],
    endpoints: { allowed, anyNameserver: !flags.on("restrict-nameservers") },
    gate: flags.on("propagation-gate"),
    served: flags.given.has("providers") ? flags.list("providers") : undefined,
  });
}

async function check(
  { object, place }: Manifest,
  rules: ValidateRules,
  told: Told[],
  issuers: CheckedIssuer[],
): Promise<void> {
  if (!isIssuer(object)) return;
  const { solvers, faults } = await validateIssuer(object, rules);
  const found = faults.map(({ path, message, level }) => ({ ...place(path), level, message }));
  told.push(...found.toSorted((a, b) => a.line - b.line));
  if (solvers.length === 0) return;
  const { name, namespace } = object["metadata"] as { readonly name?: unknown; readonly namespace?: unknown };
  issuers.push({
    file: place([]).file,
    kind: String(object["kind"]),
    name: String(name ?? ""),
    namespace: typeof namespace === "string" ? namespace : undefined,
    solvers: solvers.map(({ groupName, solverName, path }) => ({ groupName, solverName, path: place(path).path })),
  });
}

async function readText(file: string, { io }: CommandInput): Promise<string | { readonly message: string }> {
  try {
    return file === "-"
      ? await readStream(process.stdin)
      : await readFile(file, { encoding: "utf8", signal: io.signal });
  } catch (error) {
    io.signal.throwIfAborted();
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    return { message: code === "ENOENT" ? "does not exist" : `cannot be read: ${String(code ?? error)}` };
  }
}

function report(told: readonly Told[], issuers: readonly CheckedIssuer[], { groups }: ValidateRules) {
  const faults = told.filter(({ level }) => level === "fault");
  const warnings = told.filter(({ level }) => level === "warning");
  const plain = ({ file, line, path, message }: Told) => ({ file, line, path, message });
  const valid = faults.length === 0;
  const error = new ConfigError(faults.map((one) => ({ path: placeText(one), message: one.message })));
  const count = (n: number, what: string) => (n === 0 ? `no ${what}s` : counted(n, what));
  const lead = issuers.length === 1 ? "leads" : "lead";
  const sum = `${count(issuers.length, "Issuer")} ${lead} to ${groups.join(", ")}: ${count(faults.length, "fault")}`;
  const lines = told.map((one) => `${placeText(one)}: ${one.level === "warning" ? "warning: " : ""}${one.message}`);
  return {
    json: {
      valid,
      issuers,
      faults: faults.map(plain),
      warnings: warnings.map(plain),
      ...(valid ? {} : (errorDocument(error) as object)),
    },
    text: `${[...lines, sum].join("\n")}\n`,
    status: valid ? 0 : 2,
  };
}

function placeText({ file, line, path }: Place): string {
  return `${line === 0 ? file : `${file}:${line}`} ${path}`.trimEnd();
}
