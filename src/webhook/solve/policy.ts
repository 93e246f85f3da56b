import { readFile, stat } from "node:fs/promises";
import { z } from "zod";
import { LineCounter, parseDocument } from "../../config/yaml.ts";
import type { Clock } from "../../core/clock.ts";
import { ConfigError, type ConfigIssue } from "../../core/errors.ts";
import { type DomainName, isWithin, parseName } from "../../core/name.ts";
import { nearest } from "../../core/nearest.ts";

/** Which zones and providers a namespace's Issuers may use. */
export interface PolicyRule {
  /** Undefined: every provider. */
  readonly providers: readonly string[] | undefined;
  /** Undefined: every zone. A name is in a zone if it is the zone or below it. */
  readonly zones: readonly DomainName[] | undefined;
}

/** Namespaces with a rule of their own, and "*" for all others; who has no rule may do nothing. */
export type Policy = ReadonlyMap<string, PolicyRule>;

/** What somebody wants to do. */
export interface PolicyQuestion {
  readonly namespace: string;
  readonly provider: string;
  readonly owner: DomainName;
}

/** Why something is not allowed. */
export interface Denial {
  readonly message: string;
  /** What is allowed instead. For the log: it may name zones of other tenants. */
  readonly rule?: string;
}

/** The operator's policy as it stands in its file now. */
export interface PolicyFile {
  /** Why it is not allowed; `undefined` when it is. */
  denial(question: PolicyQuestion): Promise<Denial | undefined>;
}

const schema = z.strictObject({
  namespaces: z.record(
    z.string().min(1),
    z
      .strictObject({
        providers: z.array(z.string().min(1)).optional(),
        zones: z.array(z.string().min(1)).optional(),
      })
      .nullable(),
  ),
});

/** Reads the text of a policy; every fault at once, each with its line. `known` are ids and aliases of providers. */
export function parsePolicy(file: string, text: string, known: readonly string[]): Policy {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  if (document.errors.length > 0) {
    const at = (offset: number) => `${file}:${lines.linePos(offset).line}`;
    throw new ConfigError(document.errors.map((e) => ({ path: at(e.pos[0]), message: e.message })));
  }
  const place = (path: readonly PropertyKey[]): string => {
    for (let length = path.length; length > 0; length--) {
      const node: unknown = document.getIn(path.slice(0, length), true);
      const range = typeof node === "object" && node !== null && "range" in node ? node.range : undefined;
      const start: unknown = Array.isArray(range) ? range[0] : undefined;
      if (typeof start === "number") return `${file}:${lines.linePos(start).line} ${path.map(String).join(".")}`;
    }
    return `${file} ${path.map(String).join(".")}`.trimEnd();
  };
  const parsed = schema.safeParse(document.toJS() ?? {});
  if (!parsed.success) throw new ConfigError(parsed.error.issues.flatMap((issue) => faultsOf(issue, place)));

  const issues: ConfigIssue[] = [];
  const policy = new Map<string, PolicyRule>();
  for (const [namespace, rule] of Object.entries(parsed.data.namespaces)) {
    const zones = rule?.zones?.flatMap((zone, i) => {
      try {
        return [parseName(zone, place(["namespaces", namespace, "zones", i]))];
      } catch (error) {
        if (!(error instanceof ConfigError)) throw error;
        issues.push(...error.issues);
        return [];
      }
    });
    for (const [i, id] of (rule?.providers ?? []).entries()) {
      if (known.includes(id)) continue;
      const near = nearest(id, known);
      const message = `there is no provider "${id}"${near === undefined ? "" : `; did you mean ${near}?`}`;
      issues.push({ path: place(["namespaces", namespace, "providers", i]), message });
    }
    policy.set(namespace, { providers: rule?.providers, zones });
  }
  if (issues.length > 0) throw new ConfigError(issues);
  return policy;
}

function faultsOf(issue: z.core.$ZodIssue, place: (path: readonly PropertyKey[]) => string): readonly ConfigIssue[] {
  if (issue.code !== "unrecognized_keys") return [{ path: place(issue.path), message: issue.message }];
  return issue.keys.map((key) => {
    const near = nearest(key, issue.path.length === 0 ? ["namespaces"] : ["providers", "zones"]);
    return {
      path: place([...issue.path, key]),
      message: `unknown key${near === undefined ? "" : `; did you mean "${near}"?`}`,
    };
  });
}

/** Why a policy forbids it; `undefined` when it does not. `idOf` leads from an alias to the provider's id. */
export function denialOf(
  policy: Policy,
  { namespace, provider, owner }: PolicyQuestion,
  idOf: (name: string) => string = (name) => name,
): Denial | undefined {
  const rule = policy.get(namespace) ?? policy.get("*");
  if (rule === undefined) return { message: `namespace "${namespace}" is not in the policy` };
  if (rule.providers !== undefined && !rule.providers.map(idOf).includes(provider)) {
    const message = `namespace "${namespace}" may not use the provider ${provider}`;
    return { message, rule: `only ${listed(rule.providers)}` };
  }
  if (rule.zones !== undefined && !rule.zones.some((zone) => isWithin(owner, zone))) {
    return { message: `namespace "${namespace}" may not write to ${owner}`, rule: `only below ${listed(rule.zones)}` };
  }
  return undefined;
}

function listed(names: readonly string[]): string {
  return names.length === 0 ? "none" : names.toSorted().slice(0, 5).join(", ") + (names.length > 5 ? " …" : "");
}

/** How long a changed file may go unnoticed. */
const lookAgainMs = 5_000;

export interface PolicyFileOptions {
  readonly clock: Clock;
  readonly known: readonly string[];
  readonly idOf: (name: string) => string;
  /** A changed file is of no use: the policy before it stays in force. */
  readonly onFault: (text: string) => void;
}

/** Reads a policy's file and follows its changes, as a mounted ConfigMap has them. Throws ConfigError. */
export async function openPolicy(file: string, options: PolicyFileOptions): Promise<PolicyFile> {
  const { clock, known, idOf, onFault } = options;
  const version = async () => {
    const { mtimeMs, size, ino } = await stat(file);
    return `${mtimeMs} ${size} ${ino}`;
  };
  const unreadable = (error: unknown): ConfigError =>
    error instanceof ConfigError
      ? error
      : new ConfigError([{ path: "--policy", message: `cannot read ${file}: ${String(error)}` }]);
  let seen = "";
  let lookedAt = clock.now();
  let policy: Policy;
  try {
    seen = await version();
    policy = parsePolicy(file, await readFile(file, "utf8"), known);
  } catch (error) {
    throw unreadable(error);
  }
  const refresh = async (): Promise<void> => {
    if (clock.now() - lookedAt < lookAgainMs) return;
    lookedAt = clock.now();
    try {
      const now = await version();
      if (now === seen) return;
      seen = now;
      policy = parsePolicy(file, await readFile(file, "utf8"), known);
    } catch (error) {
      onFault(`${unreadable(error).message}; the policy before it stays in force`);
    }
  };
  return {
    async denial(question) {
      await refresh();
      return denialOf(policy, question, idOf);
    },
  };
}
