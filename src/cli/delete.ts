import { counted } from "../core/counted.ts";
import { ConfigError, Dns01Error, LockedError } from "../core/errors.ts";
import { timeText } from "../core/time-text.ts";
import type { StoredCertificate } from "../issuer/ports.ts";
import { openStore, type Store } from "../store/index.ts";
import { type Command, failOn } from "./command.ts";
import { storedName } from "./named.ts";
import { defaultStateDir } from "./state.ts";

/** `dns01 delete NAME`: forgets a certificate here; at the CA it stays what it is. */
export const command: Command = {
  async run({ flags, issues, io, observer }) {
    failOn(issues);
    const store = await openStore(flags.text("state") ?? defaultStateDir(io.env), { observer, purpose: "delete" });
    const { certificates } = store;
    const name = await storedName(certificates, flags.positionals[0] ?? "");
    const release = await certificates.lock(name, { signal: io.signal, timeoutMs: 0 }).catch(asBusy);
    try {
      const why = needsYes(await load(store, name), new Date());
      if (why !== undefined && !flags.on("yes")) {
        throw new ConfigError([{ path: "--yes", message: `is missing: ${name} ${why}` }], {
          hint: "Look at it with `dns01 show`, and give --yes if it is really to go.",
        });
      }
      await certificates.remove(name);
    } finally {
      await release();
    }
    const left = (await store.journal.list()).filter((entry) => entry.certificate === name);
    const text = `${name}: deleted\n`;
    const note = `${counted(left.length, "TXT value")} of it may still be in DNS: dns01 cleanup --leftovers takes them out\n`;
    return { json: { name, deleted: true, leftovers: left.length }, text: left.length === 0 ? text : text + note };
  },
};

/** What is damaged can be deleted, too. */
async function load(store: Store, name: string): Promise<StoredCertificate | string> {
  try {
    return (await store.certificates.load(name)) ?? "cannot be read";
  } catch (error) {
    if (!Dns01Error.is(error)) throw error;
    return `cannot be read: ${error.message}`;
  }
}

function needsYes(stored: StoredCertificate | string, now: Date): string | undefined {
  if (typeof stored === "string") return stored;
  const { notAfter, revoked } = stored.meta;
  return now < new Date(notAfter) && revoked === undefined ? `is valid until ${timeText(notAfter)}` : undefined;
}

function asBusy(error: unknown): never {
  if (!(error instanceof LockedError)) throw error;
  throw new LockedError(`not deleted: ${error.message}`, {
    operation: "delete",
    hint: "Another process works on this certificate: wait for it to finish, or stop it.",
    details: error.details,
  });
}
