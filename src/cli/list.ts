import { Dns01Error } from "../core/errors.ts";
import { inParallel } from "../issuer/in-parallel.ts";
import type { RenewalState, StoredCertificate } from "../issuer/ports.ts";
import { openStore, type Store } from "../store/index.ts";
import { type Command, failOn } from "./command.ts";
import { nextRenewal } from "./next-renewal.ts";
import { defaultStateDir } from "./state.ts";
import { align } from "./table.ts";

/** Each holds several files open, and a process may have no more than some hundreds. */
const readsAtOnce = 16;

/** `dns01 list`: the inventory, soonest renewal first. */
export const command: Command = {
  async run({ flags, issues, io, observer }) {
    failOn(issues);
    const store = await openStore(flags.text("state") ?? defaultStateDir(io.env), { observer });
    const names = await store.certificates.names();
    const loaded = await inParallel(names, readsAtOnce, (name) => loadOne(store, name));
    const faults = loaded.flatMap((one) => ("fault" in one ? [one] : []));
    const certificates = loaded
      .flatMap((one) => ("fault" in one || one.stored === undefined ? [] : [describe(one.stored, one.kept)]))
      .sort((a, b) => (a.renewal.at ?? "z").localeCompare(b.renewal.at ?? "z"));
    const rows = certificates.map((c) => [
      c.name,
      c.domains.join(" "),
      day(c.notAfter),
      c.renewal.at === undefined ? c.renewal.rule : c.renewal.isDue ? "due" : day(c.renewal.at),
      c.renewal.rule,
      c.renewal.lastError === undefined ? "" : `${c.renewal.lastError.code} at ${day(c.renewal.lastError.at)}`,
      c.ca,
    ]);
    const head = ["name", "domains", "expires", "renews", "by", "last error", "ca"];
    const text = certificates.length === 0 ? ["no certificates"] : align([head, ...rows]);
    return {
      json: { certificates, ...(faults.length === 0 ? {} : { faults }) },
      text: `${[...text, ...faults.map(({ name, fault }) => `damaged: ${name}: ${fault}`)].join("\n")}\n`,
      // The list is whole but for these; who asks by a script has to see it.
      status: faults.length === 0 ? 0 : 2,
    };
  },
};

function describe({ meta, files }: StoredCertificate, kept: RenewalState | undefined) {
  const renewal = nextRenewal(meta, kept, new Date());
  return { ...meta, renewAfter: renewal.at ?? meta.renewAfter, renewal, files };
}

function day(time: string): string {
  return time.slice(0, 16).replace("T", " ");
}

/** One damaged certificate does not hide the others. */
async function loadOne(store: Store, name: string) {
  try {
    const stored = await store.certificates.load(name);
    return { name, stored, kept: stored === undefined ? undefined : await store.renewals.load(name) };
  } catch (error) {
    if (!Dns01Error.is(error)) throw error;
    return { name, fault: error.message };
  }
}
