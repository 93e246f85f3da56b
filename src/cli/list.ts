import { Dns01Error } from "../core/errors.ts";
import { openStore, type Store } from "../store/index.ts";
import { type Command, failOn } from "./command.ts";
import { defaultStateDir } from "./state.ts";
import { align } from "./table.ts";

/** `dns01 list`: the inventory, soonest renewal first. */
export const command: Command = {
  async run({ flags, issues, io, observer }) {
    failOn(issues);
    const store = await openStore(flags.text("state") ?? defaultStateDir(io.env), { observer });
    const names = await store.certificates.names();
    const loaded = await Promise.all(names.map((name) => loadOne(store, name)));
    const faults = loaded.flatMap((one) => ("fault" in one ? [one] : []));
    const metas = loaded
      .flatMap((one) =>
        "fault" in one || one.stored === undefined ? [] : [{ ...one.stored.meta, files: one.stored.files }],
      )
      .sort((a, b) => a.renewAfter.localeCompare(b.renewAfter));
    const rows = metas.map((m) => [m.name, m.domains.join(" "), day(m.notAfter), day(m.renewAfter), m.ca]);
    const head = ["name", "domains", "expires", "renews", "ca"];
    const text = metas.length === 0 ? ["no certificates"] : align([head, ...rows]);
    return {
      json: { certificates: metas, ...(faults.length === 0 ? {} : { faults }) },
      text: `${[...text, ...faults.map(({ name, fault }) => `damaged: ${name}: ${fault}`)].join("\n")}\n`,
      // The list is whole but for these; who asks by a script has to see it.
      status: faults.length === 0 ? 0 : 2,
    };
  },
};

function day(time: string): string {
  return time.slice(0, 16).replace("T", " ");
}

/** One damaged certificate does not hide the others. */
async function loadOne(store: Store, name: string) {
  try {
    return { name, stored: await store.certificates.load(name) };
  } catch (error) {
    if (!Dns01Error.is(error)) throw error;
    return { name, fault: error.message };
  }
}
