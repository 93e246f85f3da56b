import { readDnsSettings } from "../config/dns-settings.ts";
import { readRoutes, routeOf } from "../config/solvers.ts";
import { challengeName } from "../core/challenge.ts";
import { systemClock } from "../core/clock.ts";
import { counted } from "../core/counted.ts";
import { ConfigError, type ConfigIssue, Dns01Error } from "../core/errors.ts";
import { type DomainName, parseIdentifier, parseName } from "../core/name.ts";
import { findLeftovers, type Leftover, type Removal, removeLeftovers } from "../issuer/leftovers.ts";
import { openDns } from "../issuer/network.ts";
import { createRouter } from "../issuer/router.ts";
import { openStore } from "../store/index.ts";
import { type CommandInput, type CommandOutput, failOn } from "./command.ts";
import { defaultStateDir } from "./state.ts";
import { align } from "./table.ts";

/** `dns01 cleanup --leftovers`: takes out what runs of ours left; shows what else looks like it, and takes it out on `--yes`. */
export async function cleanLeftovers(input: CommandInput): Promise<CommandOutput> {
  const { flags, io, observer, redactor, registry } = input;
  const config = await input.loadConfig();
  const routes = await readRoutes({ flags, env: io.env, redactor, config, registry, observer });
  const dns = readDnsSettings(flags);
  const issues = [...input.issues, ...dns.issues];
  const names = readNames(input, issues);
  const isConfigured = flags.text("provider") !== undefined || (config.config.solvers ?? []).length > 0;
  // Without anything to take out, none is needed.
  failOn(isConfigured ? [...issues, ...routes.issues] : issues);
  const store = await openStore(flags.text("state") ?? defaultStateDir(io.env), { observer, purpose: "cleanup" });
  const deps = { ...store, now: () => new Date(), signal: io.signal };
  const network = await openDns(dns.settings, observer);
  const found = await findLeftovers(names, { ...deps, dns: network });
  const wanted = found.filter(({ kind }) => kind === "left" || (flags.on("yes") && kind !== "in-use"));
  if (wanted.length > 0) failOn(routes.issues);
  const solvers = createRouter(routes.routes.map((route) => routeOf(route, observer, redactor, io.signal)));
  const removals = await removeLeftovers(wanted, { ...deps, solvers, clock: systemClock, observer });
  const output = report(found, removals, deps.now());
  // Cron mails whatever is printed.
  return found.length === 0 && flags.on("quiet") ? { ...output, text: "" } : output;
}

function readNames({ flags }: CommandInput, issues: ConfigIssue[]): readonly DomainName[] {
  const names = new Set<DomainName>();
  const read = (work: () => DomainName) => {
    try {
      names.add(work());
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      issues.push(...error.issues);
    }
  };
  for (const text of flags.positionals) read(() => parseName(text, "FQDN"));
  const path = flags.source("domain") ?? "--domain";
  for (const text of flags.list("domain")) read(() => challengeName(parseIdentifier(text, path).base));
  return [...names];
}

function report(found: readonly Leftover[], removals: readonly Removal[], now: Date): CommandOutput {
  const fates = found.map((leftover) => fateOf(leftover, removals));
  const failed = removals.find(({ error }) => error !== undefined)?.error;
  const documents = fates.map(({ leftover, done, reason }) => documentOf(leftover, done, reason));
  if (failed !== undefined) throw withDetails(failed, documents);
  const kept = fates.filter(({ done, leftover }) => !done && leftover.kind !== "in-use").length;
  const rows = fates.map(({ leftover, done, reason }) => [
    leftover.owner,
    leftover.value,
    ageOf(leftover, now),
    done ? "taken out" : `stays: ${reason}`,
  ]);
  const text = [
    ...(rows.length === 0 ? ["nothing is left over"] : align(rows)),
    ...(kept === 0
      ? []
      : ["", `${counted(kept, "value")} left; give --yes to delete ${kept === 1 ? "it" : "them"} too`]),
    "",
  ];
  return { json: { leftovers: documents }, text: text.join("\n") };
}

interface Fate {
  readonly leftover: Leftover;
  readonly done: boolean;
  readonly reason: string;
}

const why: Readonly<Record<Leftover["kind"], string>> = {
  left: "of a run that is over",
  presented: "put there by dns01 present, and not taken out since",
  unknown: "looks like an old challenge value; nobody here knows it",
  "in-use": "of a run that is under way, or put there within the last hour",
};

function fateOf(leftover: Leftover, removals: readonly Removal[]): Fate {
  const removal = removals.find((one) => one.leftover === leftover);
  const { error } = removal ?? {};
  const reason = error === undefined ? why[leftover.kind] : error instanceof Error ? error.message : String(error);
  return { leftover, done: removal?.removed ?? false, reason };
}

function documentOf({ kind, owner, value, entry, placement }: Leftover, done: boolean, reason: string) {
  return {
    owner,
    value,
    kind,
    removed: done,
    reason,
    createdAt: entry?.createdAt ?? null,
    ...(entry === undefined
      ? { zone: placement?.delegation.zone }
      : { zone: entry.zone, provider: entry.provider, certificate: entry.certificate }),
  };
}

function ageOf({ entry }: Leftover, now: Date): string {
  if (entry === undefined) return "age unknown";
  const minutes = Math.max(0, Math.round((now.getTime() - Date.parse(entry.createdAt)) / 60_000));
  if (minutes < 120) return `${minutes} min old`;
  return minutes < 2_880 ? `${Math.round(minutes / 60)} h old` : `${Math.round(minutes / 1_440)} d old`;
}

/** The same error with what became of each value. */
function withDetails(error: unknown, leftovers: readonly unknown[]): unknown {
  if (!Dns01Error.is(error)) return error;
  const { code, message, retryable, provider, zone, fqdn, hint, details } = error;
  return new Dns01Error(code, message, retryable, {
    ...{ provider, zone, fqdn, hint, operation: "cleanup", cause: error },
    details: { ...details, leftovers },
  });
}
