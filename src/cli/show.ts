import { certificateInfo, splitChain } from "../acme/certificate.ts";
import { ConfigError } from "../core/errors.ts";
import type { CertificateMeta } from "../issuer/ports.ts";
import { openStore } from "../store/index.ts";
import { type Command, failOn } from "./command.ts";
import { storedName } from "./named.ts";
import { type NextRenewal, nextRenewal } from "./next-renewal.ts";
import { defaultStateDir } from "./state.ts";

/** `dns01 show NAME`: everything known of one certificate. */
export const command: Command = {
  async run({ flags, issues, io, observer }) {
    failOn(issues);
    const store = await openStore(flags.text("state") ?? defaultStateDir(io.env), { observer });
    const name = await storedName(store.certificates, flags.positionals[0] ?? "");
    const stored = await store.certificates.load(name);
    if (stored === undefined) throw new ConfigError([{ path: "NAME", message: `"${name}" has just been deleted` }]);
    const chain = chainOf(stored.pem.cert, stored.pem.chain);
    const { meta, files } = stored;
    const renewal = nextRenewal(meta, await store.renewals.load(name), new Date());
    const lines = [
      `name        ${meta.name}`,
      `domains     ${meta.domains.join(" ")}`,
      `key         ${meta.keyType}${meta.csr === true ? " (yours, by CSR)" : ""}`,
      `serial      ${meta.serial}`,
      `issuer      ${meta.issuer}`,
      `valid       ${meta.notBefore} to ${meta.notAfter}`,
      ...(meta.revoked === undefined
        ? []
        : [`revoked     ${meta.revoked.at}${meta.revoked.reason === undefined ? "" : ` (${meta.revoked.reason})`}`]),
      `renews      ${renewal.at === undefined ? "not" : `after ${renewal.at}`}: ${renewal.reason}`,
      ...(renewal.checkAt === undefined ? [] : [`ca asked    again after ${renewal.checkAt}${faultOf(renewal)}`]),
      ...lastErrorOf(renewal),
      `ca          ${meta.ca}${profileOf(meta)}`,
      ...(meta.insteadOf === undefined ? [] : [`            in place of ${meta.insteadOf}, which could not serve`]),
      `provider    ${meta.provider}`,
      "chain",
      ...chain.map((c) => `  ${c.subject || "(no subject)"}, issued by ${c.issuer}, until ${c.notAfter}`),
      "files",
      ...Object.values(files).map((f) => `  ${f}`),
      "history",
      ...meta.history.map((h) => `  ${h.at}  ${h.event}${h.detail === undefined ? "" : `  ${h.detail}`}`),
      "",
    ];
    const json = { ...meta, renewAfter: renewal.at ?? meta.renewAfter, renewal, files, chain };
    return { json, text: lines.join("\n") };
  },
};

function faultOf({ checkFault }: NextRenewal): string {
  return checkFault === undefined ? "" : ` (${checkFault})`;
}

function lastErrorOf({ lastError }: NextRenewal): readonly string[] {
  if (lastError === undefined) return [];
  const { at, code, message, count } = lastError;
  const times = count === 1 ? "" : `, ${count} times in a row`;
  return [`last error  ${at}  ${code}: ${message.split("\n")[0]}${times}`];
}

function profileOf({ profile, withoutProfile }: CertificateMeta): string {
  if (profile === undefined) return "";
  return withoutProfile === true
    ? ` (without the profile ${profile}, which it did not offer)`
    : ` (profile ${profile})`;
}

function chainOf(cert: string, chain: string): readonly { subject: string; issuer: string; notAfter: string }[] {
  const all: string[] = [cert];
  for (let rest = chain.trim(); rest !== ""; ) {
    const next = splitChain(rest);
    all.push(next.cert);
    rest = next.chain.trim();
  }
  return all.map((pem) => {
    const info = certificateInfo(pem);
    return { subject: info.subject, issuer: info.issuer, notAfter: info.notAfter.toISOString() };
  });
}
