import { certificateInfo, splitChain } from "../acme/certificate.ts";
import { ConfigError } from "../core/errors.ts";
import { parseIdentifier } from "../core/name.ts";
import { nearest } from "../core/nearest.ts";
import { openStore } from "../store/index.ts";
import { type Command, failOn } from "./command.ts";
import { defaultStateDir } from "./state.ts";

/** `dns01 show NAME`: everything known of one certificate. */
export const command: Command = {
  async run({ flags, issues, io, observer }) {
    failOn(issues);
    const name = flags.positionals[0] ?? "";
    const store = await openStore(flags.text("state") ?? defaultStateDir(io.env), { observer });
    const stored = (await store.certificates.load(name)) ?? (await store.certificates.load(asStored(name)));
    if (stored === undefined) {
      const names = await store.certificates.names();
      const near = nearest(name, names);
      const known = names.length === 0 ? "none is stored" : `stored: ${names.join(", ")}`;
      throw new ConfigError([
        {
          path: "NAME",
          message: `no certificate "${name}"${near === undefined ? `; ${known}` : `; did you mean "${near}"?`}`,
        },
      ]);
    }
    const chain = chainOf(stored.pem.cert, stored.pem.chain);
    const { meta, files } = stored;
    const lines = [
      `name        ${meta.name}`,
      `domains     ${meta.domains.join(" ")}`,
      `key         ${meta.keyType}${meta.csr === true ? " (yours, by CSR)" : ""}`,
      `serial      ${meta.serial}`,
      `issuer      ${meta.issuer}`,
      `valid       ${meta.notBefore} to ${meta.notAfter}`,
      `renews      after ${meta.renewAfter}`,
      `ca          ${meta.ca}${meta.profile === undefined ? "" : ` (profile ${meta.profile})`}`,
      `provider    ${meta.provider}`,
      "chain",
      ...chain.map((c) => `  ${c.subject || "(no subject)"}, issued by ${c.issuer}, until ${c.notAfter}`),
      "files",
      ...Object.values(files).map((f) => `  ${f}`),
      "history",
      ...meta.history.map((h) => `  ${h.at}  ${h.event}${h.detail === undefined ? "" : `  ${h.detail}`}`),
      "",
    ];
    return { json: { ...meta, files, chain }, text: lines.join("\n") };
  },
};

/** Certificates are named by A-labels, people type what they read. */
function asStored(name: string): string {
  try {
    return parseIdentifier(name).text;
  } catch {
    return name;
  }
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
