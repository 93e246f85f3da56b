import { readCsr } from "../acme/csr.ts";
import { issuesOf, readInput } from "../config/attempt.ts";
import { directoryFor, type PlannedCa, readCas } from "../config/cas.ts";
import { readDnsSettings } from "../config/dns-settings.ts";
import type { LoadedConfig } from "../config/load.ts";
import { readPlan, requestOf } from "../config/plan.ts";
import type { Sources } from "../config/settings.ts";
import { type ChosenRoute, readRoutes } from "../config/solvers.ts";
import type { ConfigIssue } from "../core/errors.ts";
import type { Deployment } from "../deploy/deploy.ts";
import { readDomains } from "../issuer/domains.ts";
import type { DnsSettings } from "../issuer/network.ts";
import { sameSet } from "../issuer/order.ts";
import type { Replacing } from "../issuer/replacing.ts";
import type { IssueRequest } from "../issuer/request.ts";
import { askerOf } from "./ask.ts";
import type { CommandInput } from "./command.ts";
import { registeredIn } from "./registered.ts";

export interface ReadRequest {
  readonly issues: readonly ConfigIssue[];
  /** Only when there are no issues. `approved`: what to order in place of what was asked for. */
  complete(approved?: Pick<IssueRequest, "identifiers" | "keyType">): {
    /** The CA registers no account without --eab-kid and --eab-hmac-key. */
    readonly needsEab: boolean;
    readonly request: IssueRequest;
    /** The same at the CAs to go over to. */
    readonly others: readonly IssueRequest[];
    readonly routes: readonly ChosenRoute[];
    readonly dns: DnsSettings;
    /** What may become of a stored certificate; undefined where the order follows the file. */
    readonly replacing?: Replacing;
    /** What the file says is to follow; flags go before it. */
    readonly deployment?: Deployment;
  };
}

/** Everything `dns01 issue` was told, checked without any call; all faults together. */
export async function readIssueRequest(input: CommandInput): Promise<ReadRequest> {
  const { flags, io, redactor, registry, observer } = input;
  const config = await input.loadConfig();
  const isRegistered = registeredIn(input);
  const sources = { flags, env: io.env, redactor, config, registry, observer, isRegistered };
  const isNamed = flags.list("domain").length === 0 && flags.text("csr") === undefined;
  const declared = isNamed ? await readDeclared(flags.text("name"), sources) : undefined;
  if (declared !== undefined) return declared;
  const issues: ConfigIssue[] = [];
  const given = flags.list("domain");
  const domainPath = flags.source("domain") ?? "--domain";
  const csr = await readCsrFile(flags.text("csr"), issues);
  const names = given.length > 0 ? given : (csr?.domains ?? []);
  if (names.length === 0 && flags.text("csr") === undefined)
    issues.push({ path: "--domain", message: noDomain(config) });
  const domains = await readDomains(names, domainPath);
  issues.push(...domains.issues);
  if (csr !== undefined && given.length > 0 && domains.issues.length === 0) {
    const wanted = domains.identifiers.map((i) => i.text);
    if (!sameSet(csr.domains, wanted)) {
      issues.push({
        path: "--csr",
        message: `is for ${csr.domains.join(", ")}, but --domain says ${wanted.join(", ")}; they must be the same`,
      });
    }
  }
  const name = flags.text("name");
  if (name !== undefined && (/[\p{Cc}\p{Cf}]/u.test(name) || name.trim() !== name)) {
    issues.push({
      path: flags.source("name") ?? "--name",
      message: "has control characters, or white space around it",
    });
  }
  if (flags.text("csr") !== undefined) {
    const own = "is the request's: its key is yours, and dns01 never sees it; leave it out";
    if (flags.source("key-type") === "--key-type") issues.push({ path: "--key-type", message: own });
    if (flags.on("reuse-key")) issues.push({ path: "--reuse-key", message: own });
  }
  if (flags.on("expand") && flags.on("replace"))
    issues.push({ path: "--expand", message: "and --replace exclude each other: give one of them" });
  if (flags.on("expand") && flags.text("csr") !== undefined)
    issues.push({ path: "--expand", message: "cannot be had with --csr: the names are those of the request" });
  const provider = await readRoutes(sources);
  const dns = readDnsSettings(flags);
  const cas = await readCas(sources);
  issues.push(...provider.issues, ...dns.issues, ...cas.issues);
  return {
    issues,
    complete: (approved) => {
      const first = domains.identifiers[0];
      const [ca, ...further] = cas.cas;
      if (first === undefined || provider.routes.length === 0 || ca === undefined)
        throw new Error("the request is incomplete");
      const dryRun = flags.on("dry-run");
      const keyType = approved?.keyType ?? csr?.keyType ?? ca.keyType ?? "ec256";
      const requestAt = (one: PlannedCa): IssueRequest => ({
        name: name ?? first.text,
        identifiers: approved?.identifiers ?? domains.identifiers,
        ca: {
          directoryUrl: directoryFor(one.ca, keyType, dryRun),
          rootPem: one.rootPem,
          contact: one.contact,
          eab: one.eab,
        },
        keyType,
        profile: one.profile,
        preferredChain: one.preferredChain,
        reuseKey: flags.on("reuse-key"),
        csr: csr?.der,
        force: flags.on("force"),
        dryRun,
        propagation: dns.settings.propagation,
        provider: [...new Set(provider.routes.map((r) => r.provider.id))].join(","),
      });
      return {
        needsEab: ca.ca.needsEab,
        routes: provider.routes,
        dns: dns.settings,
        request: requestAt(ca),
        others: further.map(requestAt),
        replacing: replacingOf(input, config, name ?? first.text),
      };
    },
  };
}

function replacingOf(input: CommandInput, config: LoadedConfig, name: string): Replacing {
  const { flags } = input;
  const isDeclared = declaredNames(config).includes(name);
  return {
    expand: flags.on("expand"),
    replace: flags.on("replace"),
    isKeyChosen: flags.source("key-type") !== "default" || flags.text("csr") !== undefined,
    words: {
      domains: flags.source("domain") ?? "--domain",
      keyType: "--key-type",
      expand: "--expand",
      replace: "--replace",
      besides: isDeclared ? `To order what ${config.file} declares, run \`dns01 issue --name ${name}\`.` : undefined,
    },
    ask: askerOf(input),
  };
}

function declaredNames({ config }: LoadedConfig): readonly string[] {
  return (config.certificates ?? []).flatMap((c) => c?.name ?? c?.domains?.[0] ?? []);
}

function noDomain(config: LoadedConfig): string {
  const { file } = config;
  const declared = declaredNames(config);
  const [first] = declared;
  if (file === undefined || first === undefined)
    return "is missing: name at least one, or by --name a certificate that dns01.yaml declares";
  const all = declared.length === 1 ? "the certificate" : `the ${declared.length} certificates`;
  return `is missing: \`dns01 renew\` issues ${all} that ${file} declares, \`dns01 issue --name ${first}\` only that one`;
}

/** A certificate that the file declares, by its name; undefined when it declares none of this name. */
async function readDeclared(name: string | undefined, sources: Sources): Promise<ReadRequest | undefined> {
  const { config, flags } = sources;
  if (name === undefined || !declaredNames(config).includes(name)) return undefined;
  const read = await readPlan(sources);
  const message = `adds nothing to what ${config.file} declares: write the names there`;
  const faults = flags.on("expand") ? [{ path: "--expand", message }] : [];
  return {
    issues: [...read.issues, ...faults],
    complete: () => {
      const plan = read.complete();
      const certificate = plan.certificates.find((c) => c.name === name);
      const [ca, ...further] = certificate?.cas ?? [];
      if (certificate === undefined || ca === undefined) throw new Error("the request is incomplete");
      const how = { force: flags.on("force"), dryRun: flags.on("dry-run") };
      const requestAt = (one: PlannedCa) => {
        const request = requestOf(plan, certificate, { ...how, ca: one });
        return { ...request, reuseKey: request.reuseKey || flags.on("reuse-key") };
      };
      return {
        needsEab: ca.ca.needsEab,
        routes: plan.routes,
        dns: plan.dns,
        request: requestAt(ca),
        others: further.map(requestAt),
        deployment: certificate.deployment,
      };
    },
  };
}

async function readCsrFile(path: string | undefined, issues: ConfigIssue[]) {
  const bytes = path === undefined ? undefined : await readInput(path, "--csr", issues);
  if (bytes === undefined) return undefined;
  return await readCsr(bytes, "--csr").catch((error: unknown) => {
    issues.push(...issuesOf(error));
    return undefined;
  });
}
