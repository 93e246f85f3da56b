import { randomBytes } from "node:crypto";
import { readDnsSettings } from "../config/dns-settings.ts";
import { systemClock } from "../core/clock.ts";
import { ConfigError, type ConfigIssue } from "../core/errors.ts";
import { parseName } from "../core/name.ts";
import { connectKubernetes } from "../kubernetes/client.ts";
import { runChecks } from "../webhook/check/checks.ts";
import type { Account, CheckSettings } from "../webhook/check/context.ts";
import { type Finding, statusOf } from "../webhook/check/finding.ts";
import { parseAllowedEndpoints } from "../webhook/solve/endpoints.ts";
import { type Command, type CommandInput, failOn } from "./command.ts";

/** `dns01 webhook check`: everything between an Issuer and the provider, looked at; nothing but a test value is changed. */
export const command: Command = {
  async run(input) {
    const { flags, io, observer, redactor, registry, version } = input;
    const settings = readSettings(input);
    const kube = await connectKubernetes({
      kubeconfig: flags.text("kubeconfig"),
      context: flags.text("context"),
      env: io.env,
      observer,
      userAgent: `dns01/${version} webhook-check`,
    });
    try {
      const deps = { kube, registry, settings, clock: systemClock, observer, redactor, signal: io.signal };
      const randomValue = () => randomBytes(32).toString("base64url");
      const findings = await runChecks({ ...deps, randomValue }, (finding) =>
        observer({ type: "log", level: "debug", text: lineOf(finding) }),
      );
      const failures = findings.filter(({ state }) => state === "failed").length;
      return {
        json: { ok: failures === 0, server: kube.server, findings },
        text: `${[...findings.flatMap(linesOf), "", sumOf(findings)].join("\n")}\n`,
        status: statusOf(findings),
      };
    } finally {
      kube.close();
    }
  },
};

function readSettings({ flags, issues: before, io }: CommandInput): CheckSettings {
  const dns = readDnsSettings(flags);
  const issues: ConfigIssue[] = [...before, ...dns.issues];
  const collect = <T>(work: () => T): T | undefined => {
    try {
      return work();
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      issues.push(...error.issues);
      return undefined;
    }
  };
  const namespace = flags.text("namespace");
  const account = (flag: string, usual?: string) => {
    const text = flags.text(flag);
    const read = text === undefined ? undefined : readAccount(text, usual);
    if (text !== undefined && read === undefined) {
      issues.push({ path: `--${flag}`, message: `"${text}" is no ServiceAccount: write NAMESPACE/NAME` });
    }
    return read;
  };
  const domain = flags.text("domain");
  if (domain !== undefined) {
    collect(() => parseName(domain.replace(/^\*\./, ""), "--domain"));
    if (flags.text("issuer") === undefined && !flags.on("write")) {
      issues.push({ path: "--domain", message: "needs --issuer: with whose credentials shall it be tried?" });
    }
  }
  const settings = {
    groups: [...new Set(flags.list("group-name"))],
    findGroups: flags.source("group-name") === "default",
    namespace,
    webhookAccount: account("service-account", namespace),
    certManagerAccount: account("cert-manager-service-account"),
    clusterResourceNamespace: flags.text("cluster-resource-namespace"),
    issuer: flags.text("issuer"),
    domain,
    write: flags.on("write"),
    allowedEndpoints: collect(() => parseAllowedEndpoints(flags.list("allowed-endpoint"))) ?? [],
    anyNameserver: !flags.on("restrict-nameservers"),
    gate: flags.on("propagation-gate"),
    dns: dns.settings,
    inCluster: flags.text("kubeconfig") === undefined && (io.env["KUBERNETES_SERVICE_HOST"] ?? "") !== "",
  };
  failOn(issues);
  return settings;
}

/** NAMESPACE/NAME, NAME in a known namespace, or the user name of one. */
function readAccount(text: string, namespace: string | undefined): Account | undefined {
  const [first = "", second, more] = text.replace(/^system:serviceaccount:/, "").split(/[/:]/);
  if (more !== undefined || first === "" || second === "") return undefined;
  if (second !== undefined) return { namespace: first, name: second };
  return namespace === undefined ? undefined : { namespace, name: first };
}

const marks = { ok: "✔", warning: "!", failed: "✘" } as const;

function lineOf({ state, what, cause }: Finding): string {
  return `${marks[state]} ${what}${cause.startsWith("(") ? " " : ": "}${cause}`;
}

function linesOf(finding: Finding): readonly string[] {
  const { next } = finding;
  return [lineOf(finding), ...(next === undefined ? [] : [`    → ${next}`])];
}

function sumOf(findings: readonly Finding[]): string {
  const count = (state: Finding["state"]) => findings.filter((one) => one.state === state).length;
  return `${count("ok")} in order, ${count("warning")} to look at, ${count("failed")} failed`;
}
