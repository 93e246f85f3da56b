import { challengeName } from "../../core/challenge.ts";
import { counted } from "../../core/counted.ts";
import { ConfigError, Dns01Error, type ErrorCode } from "../../core/errors.ts";
import { type DomainName, parseName } from "../../core/name.ts";
import { cleanUpForGood } from "../../core/settle.ts";
import type { Solver } from "../../core/solver.ts";
import { thrownText } from "../../core/thrown.ts";
import { waitForTxt } from "../../dns/propagation.ts";
import type { Placement } from "../../dns/types.ts";
import type { DnsDeps } from "../../issuer/request.ts";
import { settleDuring } from "../../issuer/settle-during.ts";
import { connectSolver } from "../../providers.ts";
import { completeConfig } from "../solve/config.ts";
import { inIssuerWords } from "../solve/issuer-words.ts";
import { readSecrets } from "../solve/secrets.ts";
import { asObject } from "../validate/fault.ts";
import type { FoundSolver } from "../validate/issuer.ts";
import type { Check, Context, IssuerFacts } from "./context.ts";
import { type Finding, failed, ok, warning } from "./finding.ts";
import { domainOf, pickSolver } from "./pick.ts";
import { readIssuers } from "./read-issuers.ts";

const check = "write";
const cleanUpMs = 60_000;

interface Target {
  readonly issuer: IssuerFacts;
  readonly solver: FoundSolver;
  readonly domain: DomainName;
  /** For findings: "_acme-challenge.example.com by ClusterIssuer letsencrypt". */
  readonly what: string;
}

/** A random value into DNS with an Issuer's own credentials, looked for at the nameservers, taken out again. */
export const write: Check = {
  id: check,
  async run(context) {
    const { settings } = context;
    if (settings.domain === undefined && !settings.write) return [];
    const findings: Finding[] = [];
    const network = await context.network();
    for (const target of await targetsOf(context, findings)) findings.push(...(await tryOut(target, network, context)));
    return findings;
  },
};

async function targetsOf(context: Context, findings: Finding[]): Promise<readonly Target[]> {
  const { domain: given } = context.settings;
  const targets: Target[] = [];
  for (const { issuer, report } of await readIssuers(context)) {
    const sound = report.solvers.filter(({ config }) => config !== undefined);
    const domain = given === undefined ? undefined : parseName(given.replace(/^\*\./, ""));
    const picked = domain === undefined ? undefined : pickSolver(sound, issuer.object, domain);
    const pairs =
      domain === undefined
        ? sound.map((solver) => ({ solver, domain: domainOf(solver) }))
        : picked === undefined
          ? []
          : [{ solver: picked, domain }];
    for (const pair of pairs) {
      if (pair.domain === undefined) {
        const next = `Give --issuer ${issuer.namespace === undefined ? "" : `${issuer.namespace}/`}${issuer.name} and --domain.`;
        const cause = `no value was written with ${pair.solver.solverName}: its selector names no domain`;
        findings.push(warning({ check, what: issuer.title, cause, next }));
      } else {
        const what = `${challengeName(pair.domain)} by ${issuer.title}`;
        targets.push({ issuer, solver: pair.solver, domain: pair.domain, what });
      }
    }
  }
  if (targets.length === 0 && findings.length === 0) {
    const cause = "no value was written: no sound solver of an Issuer is for it";
    findings.push(warning({ check, what: given ?? "--write", cause, next: "See the findings about Issuers." }));
  }
  return targets;
}

async function tryOut(target: Target, network: DnsDeps, context: Context): Promise<readonly Finding[]> {
  const { what } = target;
  const findings: Finding[] = [];
  const end = new AbortController();
  try {
    const solver = await connect(target, end.signal, context);
    if ("cause" in solver) {
      return [warning({ check, what, cause: `nothing was written: ${solver.cause}`, next: solver.next })];
    }
    const place = await network.place(challengeName(target.domain), context.signal);
    const alias = aliasFinding(target, place);
    findings.push(...alias);
    if (alias.some(({ state }) => state === "failed")) return findings;
    const zone = await solver.locate(place.owner, place.delegation.zone, context.signal);
    findings.push(
      ok(check, what, `${solver.provider} takes the credentials, and zone ${zone.apex} holds ${place.owner}`),
    );
    findings.push(...(await writeAndLook(target, place, solver, network, context)));
  } catch (error) {
    context.signal.throwIfAborted();
    findings.push(failure(target, error, context));
  } finally {
    end.abort();
  }
  return findings;
}

/** Why nothing can be tried, and what to do. */
type Unready = Pick<Finding, "cause" | "next">;

/** The solver, or why there is none: what is wrong with its Secrets has been said. */
async function connect(target: Target, signal: AbortSignal, context: Context): Promise<Solver | Unready> {
  const { provider, config } = target.solver;
  const next = "See the findings about Secrets.";
  if (provider === undefined || config === undefined) return { cause: "its config is not sound", next };
  const { kube, observer, clock, redactor } = context;
  const secrets = await readSecrets(config.references, target.issuer.secretNamespace, kube, context.signal);
  if (!secrets.found) {
    return { cause: secrets.issues.map(({ path, message }) => `${path} ${message}`).join("; "), next };
  }
  for (const secret of Object.values(secrets.values)) redactor.add(secret);
  const whole = completeConfig(provider, config, secrets.values);
  try {
    return await connectSolver(
      provider,
      { config: whole, ttlSeconds: config.ttlSeconds },
      { signal, observer, clock, redactor },
    );
  } catch (error) {
    // What a ClusterIssuer leaves to the pod's own identity is right there and cannot be had anywhere else.
    const isKeyless = target.issuer.kind === "ClusterIssuer" && config.references.length === 0;
    if (!(error instanceof ConfigError) || !isKeyless) throw error;
    const cause = "it names no credentials, and those of dns01's pod can only be used there";
    return { cause, next: "A Certificate from the CA's staging endpoint shows whether they are good." };
  }
}

/** Where the CA will look, and whether cert-manager has the value written there. */
function aliasFinding({ issuer, solver, what }: Target, { aliases, owner, warnings }: Placement): readonly Finding[] {
  const told = warnings.map(({ text }) =>
    warning({ check, what, cause: text, next: "Check the records of this name." }),
  );
  if (aliases.length === 0) return told;
  const solvers = asObject(asObject(issuer.object["spec"])["acme"])["solvers"];
  const listed = Array.isArray(solvers) ? asObject(solvers[Number(solver.path.at(-1))]) : {};
  if (asObject(listed["dns01"])["cnameStrategy"] === "Follow") {
    return [...told, ok(check, what, `is an alias: ${aliases.join(" → ")}; the value is written at ${owner}`)];
  }
  const cause = `is an alias (${aliases.join(" → ")}), and this solver writes at its beginning, where no CA looks`;
  const next = "Set cnameStrategy: Follow beside webhook, or remove the CNAME.";
  return [...told, failed({ check, what, cause, next, code: "CONFIG" })];
}

async function writeAndLook(
  target: Target,
  { owner, delegation }: Placement,
  solver: Solver,
  network: DnsDeps,
  context: Context,
): Promise<readonly Finding[]> {
  const { what } = target;
  const { settings, clock, observer, signal } = context;
  const values = [context.randomValue()];
  const items = [{ owner, values, zoneCut: delegation.zone }];
  const look = async (): Promise<Finding> => {
    const written = { solver, act: "present", items, solved: await solver.present(items, signal) } as const;
    const wait = () =>
      waitForTxt({
        items: [{ owner, values, delegation }],
        discovery: network.discovery,
        exchange: network.exchange,
        // As the gate does: where no nameserver can be reached, the resolvers that were given are asked.
        resolvers: network.resolvers,
        dohExchange: network.dohExchange,
        mode: "authoritative",
        deadlineMs: settings.dns.propagation.timeoutMs,
        signal,
        clock,
        observer,
      });
    const verdict = await settleDuring([written], wait, () => true, { clock, observer, signal });
    const { status, servers, explanation } = verdict;
    if (status === "propagated") {
      const serving = servers.filter((one) => one.class === "match" && one.resolver !== true).length;
      const seen = `${counted(serving, "nameserver")} serve${serving === 1 ? "s" : ""} it`;
      return ok(check, what, `a random value was written, and ${serving === 0 ? explanation : seen}`);
    }
    const next = `dns01 check ${owner} VALUE shows each nameserver; port 53 has to be reachable from here.`;
    const cause = `the value was written, but: ${explanation}`;
    return failed({ check, what, cause, next, code: "NOT_PROPAGATED" });
  };
  const looked = await look().then(
    (finding) => ({ finding, error: undefined }),
    (error: unknown) => ({ finding: undefined, error }),
  );
  // Also when it is not clear whether the value was written, and after Ctrl-C.
  const out = await takeOut(what, owner, values, () =>
    cleanUpForGood(solver, items, { clock, observer, signal: AbortSignal.timeout(cleanUpMs) }),
  );
  if (signal.aborted && out.state === "failed") {
    observer({ type: "warning", code: "W_LEFTOVER", text: `${owner}: ${out.cause}; ${out.next ?? ""}` });
  }
  signal.throwIfAborted();
  return [looked.finding ?? failure(target, looked.error, context), out];
}

async function takeOut(
  what: string,
  owner: DomainName,
  values: readonly string[],
  cleanUp: () => Promise<unknown>,
): Promise<Finding> {
  try {
    await cleanUp();
    return ok(check, what, "the value was taken out again");
  } catch (error) {
    const cause = `the value may be left in DNS: ${thrownText(error)}`;
    const next = `dns01 cleanup ${owner} ${values.join(" ")} takes it out.`;
    return failed({ check, what, cause, next, code: codeOf(error) });
  }
}

function failure({ what, solver: { provider } }: Target, error: unknown, { redactor }: Context): Finding {
  if (!Dns01Error.is(error)) throw error;
  const inWords = (text: string) => (provider === undefined ? text : inIssuerWords(provider, text));
  const cause = inWords(redactor.redact(error.message));
  const usual = error instanceof ConfigError ? "Correct the Issuer or its Secret." : undefined;
  return failed({ check, what, cause, next: error.hint === undefined ? usual : inWords(error.hint), code: error.code });
}

function codeOf(error: unknown): ErrorCode {
  return Dns01Error.is(error) ? error.code : "UNKNOWN";
}
