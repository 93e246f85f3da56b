import { X509Certificate } from "node:crypto";
import { ensureStored } from "../acme/account-use.ts";
import type { AcmeClient } from "../acme/types.ts";
import { ConfigError, type ConfigIssue } from "../core/errors.ts";
import { nearest } from "../core/nearest.ts";
import type { CertificateMeta, StoredCertificate } from "../issuer/ports.ts";
import { openStore, type Store } from "../store/index.ts";
import { accessTo, readRoot } from "./account-access.ts";
import { type Command, type CommandInput, failOn } from "./command.ts";
import { storedName } from "./named.ts";
import { defaultStateDir } from "./state.ts";

/** RFC 5280 §5.3.1; 7 is not used. */
const reasons: readonly (readonly [number, string])[] = [
  [0, "unspecified"],
  [1, "keyCompromise"],
  [2, "cACompromise"],
  [3, "affiliationChanged"],
  [4, "superseded"],
  [5, "cessationOfOperation"],
  [6, "certificateHold"],
  [8, "removeFromCRL"],
  [9, "privilegeWithdrawn"],
  [10, "aACompromise"],
];

/** `dns01 revoke NAME`: tells the CA that the certificate must not be trusted any more. */
export const command: Command = {
  async run(input) {
    const { flags, io, observer } = input;
    const issues: ConfigIssue[] = [...input.issues];
    const reason = readReason(flags.text("reason"), flags.source("reason") ?? "--reason", issues);
    const caRoot = await readRoot(input, issues);
    failOn(issues);
    const store = await openStore(flags.text("state") ?? defaultStateDir(io.env), { observer, purpose: "revoke" });
    const name = await storedName(store.certificates, flags.positionals[0] ?? "");
    const release = await store.certificates.lock(name, {
      signal: io.signal,
      onWait: (holder) => observer({ type: "lock.wait", name, holder }),
    });
    try {
      const stored = await store.certificates.load(name);
      if (stored === undefined) throw new Error("the certificate has gone");
      const change = await revoke(stored, reason, store, caRoot, input);
      const meta = await remember(stored.meta, reason, store);
      const json = { name, serial: meta.serial, ca: meta.ca, changed: change === "changed", revoked: meta.revoked };
      const text = change === "changed" ? "revoked" : "was revoked already";
      return { json, text: `${name}: ${text} (serial ${meta.serial})\n` };
    } finally {
      await release();
    }
  },
};

async function revoke(
  { meta, pem }: StoredCertificate,
  reason: Reason | undefined,
  store: Store,
  caRoot: string | undefined,
  input: CommandInput,
): Promise<"changed" | "unchanged"> {
  const byKey = input.flags.on("by-key");
  const access = accessTo(input, store, meta.ca, caRoot);
  const client = byKey ? await connectByKey(meta, pem.privkey, access) : await connectByAccount(meta, access);
  try {
    const certificate = new X509Certificate(pem.cert).raw;
    return await client.revoke(certificate, { reason: reason?.code, byKey }, input.io.signal);
  } finally {
    client.close();
  }
}

type Access = ReturnType<typeof accessTo>;

async function connectByAccount(meta: CertificateMeta, access: Access): Promise<AcmeClient> {
  if ((await access.accounts.load(meta.ca)) !== undefined) return await ensureStored(access);
  throw new ConfigError([{ path: "--by-key", message: `the account at ${meta.ca} is not here any more` }], {
    hint: "Give --by-key to revoke with the certificate's own key.",
  });
}

async function connectByKey(meta: CertificateMeta, privkey: string | undefined, access: Access): Promise<AcmeClient> {
  if (privkey !== undefined) return await access.connect({ ...access, accountKey: privkey });
  throw new ConfigError(
    [{ path: "--by-key", message: `the key of ${meta.name} came with --csr and is not here; leave it out` }],
    { hint: "Revoke by the account, or with another client where the key is." },
  );
}

async function remember(meta: CertificateMeta, reason: Reason | undefined, store: Store): Promise<CertificateMeta> {
  if (meta.revoked !== undefined) return meta;
  const at = new Date().toISOString();
  const revoked = { at, ...(reason === undefined ? {} : { reason: reason.name }) };
  const event = { at, event: "revoked", ...(reason === undefined ? {} : { detail: reason.name }) };
  const known = { ...meta, revoked, history: [...meta.history.slice(-49), event] };
  await store.certificates.saveMeta(meta.name, known);
  return known;
}

interface Reason {
  readonly code: number;
  readonly name: string;
}

/** By number, or by name however it is cased and hyphenated. */
function readReason(text: string | undefined, path: string, issues: ConfigIssue[]): Reason | undefined {
  if (text === undefined) return undefined;
  const plain = (name: string) => name.toLowerCase().replace(/[-_ ]/g, "");
  const found = reasons.find(([code, name]) => text === String(code) || plain(text) === plain(name));
  if (found !== undefined) return { code: found[0], name: found[1] };
  const names = reasons.map(([, name]) => name);
  const near = nearest(text, names);
  const list = reasons.map(([code, name]) => `${code} ${name}`).join(", ");
  issues.push({
    path,
    message: `"${text}" is no reason${near === undefined ? "" : `; did you mean "${near}"?`} (${list})`,
  });
  return undefined;
}
