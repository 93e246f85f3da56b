import { certificateInfo, splitChain } from "../acme/certificate.ts";
import { ConfigError } from "../core/errors.ts";
import { distanceText, timeText } from "../core/time-text.ts";
import type { CertificateMeta } from "../issuer/ports.ts";
import { openStore } from "../store/index.ts";
import type { Command } from "./command.ts";
import { declaredIn, entryDocument, type InventoryEntry, readEntry } from "./inventory.ts";
import { nameAmong } from "./named.ts";
import type { NextRenewal } from "./next-renewal.ts";
import { defaultStateDir } from "./state.ts";

/** `dns01 show NAME`: everything known of one certificate. */
export const command: Command = {
  async run(input) {
    const { flags, io, observer } = input;
    const { declared } = await declaredIn(input);
    const store = await openStore(flags.text("state") ?? defaultStateDir(io.env), { observer });
    const names = new Set([...(await store.certificates.names()), ...declared.keys()]);
    const name = nameAmong([...names], flags.positionals[0] ?? "");
    const now = new Date();
    const entry = await readEntry(store, name, declared.get(name), now);
    const { issued, state } = entry;
    if (issued === undefined) {
      if (!entry.isDeclared) throw new ConfigError([{ path: "NAME", message: `"${name}" has just been deleted` }]);
      const lines = [`name        ${name}`, `domains     ${entry.domains.join(" ")}`, `state       ${state}`];
      return { json: entryDocument(entry), text: `${[...lines, ...faultsOf(entry)].join("\n")}\n` };
    }
    const { stored, renewal } = issued;
    const { meta, files, pem } = stored;
    const chain = chainOf(pem.cert, pem.chain);
    const lines = [
      `name        ${meta.name}`,
      `domains     ${meta.domains.join(" ")}`,
      `state       ${state}${state === "revoked" ? "" : `, ${expiryOf(meta, now)}`}`,
      `key         ${meta.keyType}${meta.csr === true ? " (yours, by CSR)" : ""}`,
      `serial      ${meta.serial}`,
      `issuer      ${meta.issuer}`,
      `valid       ${timeText(meta.notBefore)} to ${timeText(meta.notAfter)}`,
      ...(meta.revoked === undefined
        ? []
        : [
            `revoked     ${timeText(meta.revoked.at)}${meta.revoked.reason === undefined ? "" : ` (${meta.revoked.reason})`}`,
          ]),
      `renews      ${renewal.at === undefined ? "not" : `after ${timeText(renewal.at)}`}: ${renewal.reason}`,
      ...(renewal.checkAt === undefined
        ? []
        : [`ca asked    again after ${timeText(renewal.checkAt)}${faultOf(renewal)}`]),
      ...faultsOf(entry),
      ...deployedOf(entry),
      `ca          ${meta.ca}${profileOf(meta)}`,
      ...(meta.insteadOf === undefined ? [] : [`            in place of ${meta.insteadOf}, which could not serve`]),
      `provider    ${meta.provider}`,
      "chain",
      ...chain.map((c) => `  ${c.subject || "(no subject)"}, issued by ${c.issuer}, until ${timeText(c.notAfter)}`),
      "files",
      ...Object.values(files).map((f) => `  ${f}`),
      "history",
      ...meta.history.map((h) => `  ${timeText(h.at)}  ${h.event}${h.detail === undefined ? "" : `  ${h.detail}`}`),
      "",
    ];
    return { json: { ...entryDocument(entry), chain }, text: lines.join("\n") };
  },
};

function expiryOf({ notAfter }: CertificateMeta, now: Date): string {
  const at = Date.parse(notAfter);
  const distance = distanceText(at, now.getTime());
  return at <= now.getTime() ? `EXPIRED ${distance}` : `expires ${distance}`;
}

function faultOf({ checkFault }: NextRenewal): string {
  return checkFault === undefined ? "" : ` (${checkFault})`;
}

function faultsOf({ lastError, deployError }: InventoryEntry): readonly string[] {
  const faults = [
    { what: "last error", fault: lastError },
    { what: "deployment", fault: deployError },
  ];
  return faults.flatMap(({ what, fault }) => {
    if (fault === undefined) return [];
    const times = fault.count === 1 ? "" : `, ${fault.count} times in a row`;
    return [`${what}  ${timeText(fault.at)}  ${fault.code}: ${fault.message.split("\n")[0]}${times}`];
  });
}

/** When the deploy hook has run for the current version. */
function deployedOf({ issued, deployed, state }: InventoryEntry): readonly string[] {
  if (deployed !== undefined && deployed.version === issued?.stored.version) {
    return [`deployed    ${timeText(deployed.at)}`];
  }
  return state === "not deployed" ? ["deployed    not yet: the deploy hook is run by dns01 renew, or dns01 run"] : [];
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
