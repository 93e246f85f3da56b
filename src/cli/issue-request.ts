import { readFile } from "node:fs/promises";
import { checkEab } from "../acme/account.ts";
import { readCsr } from "../acme/csr.ts";
import { findCa } from "../acme/directories.ts";
import type { KeyType } from "../acme/keys.ts";
import { emptyConfig } from "../config/load.ts";
import { ConfigError, type ConfigIssue } from "../core/errors.ts";
import { readDomains } from "../issuer/domains.ts";
import type { DnsSettings } from "../issuer/network.ts";
import { sameSet } from "../issuer/order.ts";
import type { IssueRequest } from "../issuer/request.ts";
import type { CommandInput } from "./command.ts";
import { readDnsSettings } from "./dns-setup.ts";
import { type ChosenRoute, readRoutes } from "./solver-setup.ts";

export interface ReadRequest {
  readonly issues: readonly ConfigIssue[];
  /** Only when there are no issues. */
  complete(): {
    /** The CA registers no account without --eab-kid and --eab-hmac-key. */
    readonly needsEab: boolean;
    readonly request: IssueRequest;
    readonly routes: readonly ChosenRoute[];
    readonly dns: DnsSettings;
  };
}

/** Everything `dns01 issue` was told, checked without any call; all faults together. */
export async function readIssueRequest(input: CommandInput): Promise<ReadRequest> {
  const { flags, io, redactor, registry, observer } = input;
  const issues: ConfigIssue[] = [];
  const given = flags.list("domain");
  const domainPath = flags.source("domain") ?? "--domain";
  const csr = await attempt(issues, () => readCsrFile(flags.text("csr")));
  const names = given.length > 0 ? given : (csr?.domains ?? []);
  if (names.length === 0 && flags.text("csr") === undefined)
    issues.push({ path: "--domain", message: "is missing: name at least one" });
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
  const loaded = await attempt(issues, input.loadConfig);
  const config = loaded ?? emptyConfig;
  const acme = config.config.acme ?? {};
  // A flag or its environment form wins over the file, the file over the default.
  const setting = (flag: string, inFile: string | undefined, key: string) =>
    inFile !== undefined && (flags.source(flag) ?? "default") === "default"
      ? { value: inFile, path: config.place(["acme", key]) }
      : { value: flags.text(flag), path: flags.source(flag) ?? `--${flag}` };
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
  const provider = await readRoutes({ flags, env: io.env, redactor, config, registry, observer });
  if (loaded !== undefined || flags.text("provider") !== undefined) issues.push(...provider.issues);
  const dns = readDnsSettings(flags);
  issues.push(...dns.issues);
  const caSetting = setting("ca", acme.ca, "ca");
  const ca = await attempt(issues, async () => findCa(caSetting.value ?? "letsencrypt", caSetting.path));
  const rootSetting = setting("ca-root", acme.caRoot, "caRoot");
  const rootPem = await attempt(issues, () => readPem(rootSetting.value, rootSetting.path));
  const eab = await attempt(issues, () => readEab(flags.text("eab-kid"), flags.text("eab-hmac-key"), io.env));
  if (eab !== undefined) redactor.add(eab.hmacKey);
  const { value: email, path: emailPath } = setting("email", acme.email, "email");
  if (email !== undefined && !/^[^\s@,]+@[^\s@,]+$/.test(email)) {
    issues.push({ path: emailPath, message: `"${email}" is no mail address` });
  }
  return {
    issues,
    complete: () => {
      const first = domains.identifiers[0];
      if (first === undefined || provider.routes.length === 0 || ca === undefined)
        throw new Error("the request is incomplete");
      const dryRun = flags.on("dry-run");
      const keyType = (csr?.keyType ?? flags.text("key-type") ?? "ec256") as KeyType;
      const usual = keyType.startsWith("rsa") ? (ca.rsaDirectoryUrl ?? ca.directoryUrl) : ca.directoryUrl;
      return {
        needsEab: ca.needsEab,
        routes: provider.routes,
        dns: dns.settings,
        request: {
          name: name ?? first.text,
          identifiers: domains.identifiers,
          ca: {
            directoryUrl: dryRun ? (ca.staging ?? usual) : usual,
            rootPem,
            contact: email === undefined ? [] : [`mailto:${email}`],
            eab,
          },
          keyType,
          profile: setting("profile", acme.profile, "profile").value,
          preferredChain: setting("preferred-chain", acme.preferredChain, "preferredChain").value,
          reuseKey: flags.on("reuse-key"),
          csr: csr?.der,
          force: flags.on("force"),
          dryRun,
          propagation: dns.settings.propagation,
          provider: [...new Set(provider.routes.map((r) => r.provider.id))].join(","),
        },
      };
    },
  };
}

/** Collects the faults of one part and goes on with the others. */
async function attempt<T>(issues: ConfigIssue[], work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    issues.push(...error.issues);
    return undefined;
  }
}

async function readCsrFile(path: string | undefined) {
  if (path === undefined) return undefined;
  return await readCsr(await readInput(path, "--csr"), "--csr");
}

async function readPem(path: string | undefined, at: string): Promise<string | undefined> {
  if (path === undefined) return undefined;
  const text = (await readInput(path, at)).toString("latin1");
  if (!text.includes("-----BEGIN CERTIFICATE-----")) {
    throw new ConfigError([{ path: at, message: `${path} holds no PEM certificate` }]);
  }
  return text;
}

/** The HMAC key comes from a file named by the flag or by DNS01_EAB_HMAC_KEY_FILE, or from DNS01_EAB_HMAC_KEY. */
async function readEab(
  kid: string | undefined,
  file: string | undefined,
  env: Readonly<Record<string, string | undefined>>,
): Promise<{ readonly kid: string; readonly hmacKey: string } | undefined> {
  const inline = env["DNS01_EAB_HMAC_KEY"];
  const fromEnv = env["DNS01_EAB_HMAC_KEY_FILE"];
  if (inline !== undefined && fromEnv !== undefined) {
    throw new ConfigError([
      { path: "DNS01_EAB_HMAC_KEY", message: "and DNS01_EAB_HMAC_KEY_FILE are both set; keep one" },
    ]);
  }
  const path = file ?? fromEnv;
  const key =
    path === undefined
      ? inline
      : (await readInput(path, file === undefined ? "DNS01_EAB_HMAC_KEY_FILE" : "--eab-hmac-key")).toString("utf8");
  if (kid === undefined && key === undefined) return undefined;
  if (kid === undefined)
    throw new ConfigError([{ path: "--eab-kid", message: "is missing: the HMAC key needs its key id" }]);
  if (key === undefined) {
    const message = "is missing: give --eab-hmac-key FILE, DNS01_EAB_HMAC_KEY or DNS01_EAB_HMAC_KEY_FILE";
    throw new ConfigError([{ path: "--eab-hmac-key", message }]);
  }
  const eab = { kid, hmacKey: key.trim() };
  checkEab(eab);
  return eab;
}

async function readInput(path: string, at: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    const reason = error instanceof Error && "code" in error ? String(error.code) : String(error);
    throw new ConfigError([{ path: at, message: `cannot read ${path}: ${reason}` }]);
  }
}
