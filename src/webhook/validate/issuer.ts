import type { ConfigIssue } from "../../core/errors.ts";
import { nearest } from "../../core/nearest.ts";
import type { Provider } from "../../core/provider.ts";
import type { IssuerConfig } from "../solve/config.ts";
import type { EndpointRules } from "../solve/endpoints.ts";
import { asObject, type Fault, fault, type Json, type Path } from "./fault.ts";
import { selectorFaults } from "./selector.ts";
import { configFaults } from "./solver-config.ts";

/** What Issuers are held against. */
export interface ValidateRules {
  /** API groups that dns01 serves. */
  readonly groups: readonly string[];
  /** Names that are served: ids and aliases. */
  readonly solvers: readonly string[];
  /** Names that exist and are not served to Issuers, and why. */
  readonly withheld: ReadonlyMap<string, string>;
  readonly endpoints: EndpointRules;
  /** Present waits for the nameservers although no Issuer says so. */
  readonly gate: boolean;
  /** Undefined for a plugin that is not here: its config cannot be checked. */
  provider(name: string): Promise<Provider | undefined>;
}

/** A webhook solver of an Issuer that leads to dns01. */
export interface FoundSolver {
  readonly path: Path;
  readonly groupName: string;
  readonly solverName: string;
  /** Undefined when something is wrong with it. */
  readonly provider: Provider | undefined;
  readonly config: IssuerConfig | undefined;
  /** Names and zones that it is chosen for; none: all that no other solver is for. */
  readonly names: readonly string[];
}

export interface IssuerReport {
  readonly solvers: readonly FoundSolver[];
  readonly faults: readonly Fault[];
}

const apiVersion = "cert-manager.io/v1";
const webhookKeys = ["groupName", "solverName", "config"];
const dns01Keys = ["cnameStrategy", "webhook"];
const solverKeys = ["selector", "http01", "dns01", "waitInsteadOfSelfCheck"];

/** Whether this is an object that can lead to dns01. */
export function isIssuer(object: unknown): object is Json {
  const { kind, apiVersion: version } = asObject(object);
  const ours = typeof version === "string" && /^(cert-manager|certmanager\.k8s)\.io\//.test(version);
  return ours && (kind === "Issuer" || kind === "ClusterIssuer");
}

/** Everything that is wrong with one Issuer or ClusterIssuer, as far as its solvers lead to dns01 or seem to be meant to. */
export async function validateIssuer(issuer: Json, rules: ValidateRules): Promise<IssuerReport> {
  const faults: Fault[] = [];
  const acme = objectAt(issuer, ["spec", "acme"], [], faults);
  const listed = acme["solvers"] ?? [];
  const at: Path = ["spec", "acme", "solvers"];
  if (acme["solvers"] === null || !Array.isArray(listed)) faults.push(fault(at, "has to be a list"));
  if (!Array.isArray(listed)) return { solvers: [], faults };
  const solvers: FoundSolver[] = [];
  for (const [index, solver] of listed.entries()) {
    const path: Path = [...at, index];
    const webhook = objectAt(listed, [index, "dns01", "webhook"], at, faults);
    if (Object.keys(webhook).length === 0) continue;
    const found = await validateSolver(asObject(solver), path, rules, faults);
    if (found !== undefined) solvers.push(found);
  }
  if (solvers.length > 0 || faults.length > 0) faults.unshift(...headFaults(issuer));
  faults.push(...shadowed(listed, solvers, at));
  return { solvers, faults };
}

/** What is at the path; empty where there is nothing, and a fault where something on the way is no object. */
function objectAt(root: unknown, path: Path, prefix: Path, faults: Fault[]): Json {
  let found = root;
  for (const [i, part] of path.entries()) {
    found = (found as Readonly<Record<string | number, unknown>>)[part];
    if (found === undefined) return {};
    if (typeof found === "object" && found !== null && !Array.isArray(found)) continue;
    faults.push(fault([...prefix, ...path.slice(0, i + 1)], "has to be an object"));
    return {};
  }
  return asObject(found);
}

function headFaults(issuer: Json): readonly Fault[] {
  const faults: Fault[] = [];
  if (issuer["apiVersion"] !== apiVersion) faults.push(fault(["apiVersion"], `has to be ${apiVersion}`));
  const { name } = asObject(issuer["metadata"]);
  if (typeof name !== "string" || name === "") faults.push(fault(["metadata"], "has no name"));
  return faults;
}

async function validateSolver(
  solver: Json,
  path: Path,
  rules: ValidateRules,
  faults: Fault[],
): Promise<FoundSolver | undefined> {
  const dns01 = asObject(solver["dns01"]);
  const at: Path = [...path, "dns01", "webhook"];
  const webhook = asObject(dns01["webhook"]);
  const { groupName, solverName } = webhook;
  const known =
    typeof solverName === "string" && (rules.solvers.includes(solverName) || rules.withheld.has(solverName));
  if (typeof groupName !== "string" || groupName === "") {
    if (known) faults.push(fault([...at, "groupName"], `is missing: ${rules.groups.join(" or ")}`));
    return undefined;
  }
  if (!rules.groups.includes(groupName)) {
    faults.push(...otherGroup(groupName, known, [...at, "groupName"], rules));
    return undefined;
  }
  faults.push(
    ...unknownKeys(webhook, at, webhookKeys, "put the provider's fields below config"),
    ...unknownKeys(dns01, [...path, "dns01"], dns01Keys, "a solver has one DNS provider: webhook"),
    ...unknownKeys(solver, path, solverKeys),
    ...strategyFaults(dns01, path),
    ...selectorFaults(solver["selector"], [...path, "selector"]),
  );
  const fail = solverFault(solverName, rules);
  if (fail !== undefined) faults.push(fault([...at, "solverName"], fail));
  const name = String(solverName ?? "");
  const provider = fail === undefined ? await rules.provider(name) : undefined;
  const read = provider === undefined ? undefined : configFaults(provider, webhook["config"], rules.endpoints);
  faults.push(...(read?.issues ?? []).map((issue) => configFault(issue, at)));
  const config = read?.config;
  if (config !== undefined) faults.push(...waitFaults(solver, path, config, rules));
  return { path, groupName, solverName: name, provider, config, names: namesOf(solver["selector"]) };
}

/** A group that is not ours: somebody else's webhook, unless it is a slip or asks for a solver of ours. */
function otherGroup(group: string, knownSolver: boolean, path: Path, { groups }: ValidateRules): readonly Fault[] {
  const near = meantGroup(group, groups);
  if (near !== undefined) return [fault(path, `"${group}" is not served by dns01; did you mean ${near}?`)];
  if (!knownSolver) return [];
  const message = `"${group}" is another webhook's group: this solver does not lead to dns01 (${groups.join(", ")}); if dns01 serves it too, give --group-name ${group}`;
  return [{ path, message, level: "warning" }];
}

/** Groups of different webhooks resemble each other: of a slip all labels but one are right. */
export function meantGroup(group: string, groups: readonly string[]): string | undefined {
  const [bare = "", version] = group.split("/");
  if (version !== undefined && groups.includes(bare)) return bare;
  const near = nearest(group, groups);
  if (near === undefined) return undefined;
  const [given, meant] = [group.toLowerCase().split("."), near.split(".")];
  const wrong = meant.filter((label, i) => label !== given[i]).length;
  return given.length !== meant.length || wrong <= 1 ? near : undefined;
}

function solverFault(name: unknown, { solvers, withheld }: ValidateRules): string | undefined {
  if (typeof name !== "string" || name === "") return "is missing: the id of a provider (dns01 providers lists them)";
  if (solvers.includes(name)) return undefined;
  const why = withheld.get(name);
  if (why !== undefined) return `"${name}" ${why}`;
  const near = nearest(name, solvers);
  return `there is no solver "${name}"; ${near === undefined ? `there are ${solvers.join(", ")}` : `did you mean ${near}?`}`;
}

function strategyFaults(dns01: Json, path: Path): readonly Fault[] {
  const strategy = dns01["cnameStrategy"];
  if (strategy === undefined || strategy === "None" || strategy === "Follow") return [];
  return [fault([...path, "dns01", "cnameStrategy"], "has to be None or Follow")];
}

/** Without the self-check nobody but the gate looks whether the value can be seen. */
function waitFaults(solver: Json, path: Path, config: IssuerConfig, { gate }: ValidateRules): readonly Fault[] {
  const wait = solver["waitInsteadOfSelfCheck"];
  if (wait === undefined) return [];
  const at = [...path, "waitInsteadOfSelfCheck"];
  if (typeof wait !== "string" || !/^(\d+(\.\d+)?(ms|s|m|h))+$/.test(wait)) {
    return [fault(at, "has to be a duration with a unit: 0s, 90s, 5m")];
  }
  if (config.gate ?? gate) return [];
  const message = `cert-manager asks the CA after ${wait} without looking whether the nameservers have the value; with config.propagation: gate dns01 looks`;
  return [{ path: at, message, level: "warning" }];
}

/** Of several solvers for every name cert-manager takes the first that a CA has a challenge for: wildcards have no http-01. */
function shadowed(listed: readonly unknown[], ours: readonly FoundSolver[], at: Path): readonly Fault[] {
  const forAll = listed.flatMap((solver, index) => (isEmpty(asObject(solver)["selector"]) ? [index] : []));
  return forAll.flatMap((index): readonly Fault[] => {
    const before = forAll.filter((other) => other < index);
    const byDns = before.find((other) => asObject(listed[other])["dns01"] !== undefined);
    const first = byDns ?? before[0];
    if (first === undefined || !ours.some(({ path }) => path.at(-1) === index)) return [];
    const [use, which] = byDns === undefined ? ["used for wildcards alone", " (http01)"] : ["never used", ""];
    const message = `is ${use}: solvers[${first}]${which} has no selector either and comes first`;
    return [{ path: [...at, index], message, level: "warning" }];
  });
}

function unknownKeys(given: Json, path: Path, known: readonly string[], hint?: string): readonly Fault[] {
  return Object.keys(given)
    .filter((key) => !known.includes(key))
    .map((key) => {
      const near = nearest(key, known);
      const meant = near !== undefined ? `did you mean ${near}?` : (hint ?? `known are ${known.join(", ")}`);
      return fault([...path, key], `is not a field of ${String(path.at(-1))}; ${meant}`);
    });
}

function configFault({ path, message }: ConfigIssue, at: Path): Fault {
  const [first = "config", ...rest] = path.split(".");
  const key = rest.join(".");
  return fault(key === "" ? [...at, first] : [...at, first, key], message);
}

function namesOf(selector: unknown): readonly string[] {
  const { dnsNames, dnsZones } = asObject(selector);
  return [dnsNames, dnsZones].flatMap((list) => (Array.isArray(list) ? list.filter((n) => typeof n === "string") : []));
}

function isEmpty(selector: unknown): boolean {
  return Object.values(asObject(selector)).every(
    (value) => value === null || Object.keys(value as object).length === 0,
  );
}
