import { openStore } from "../store/index.ts";
import { type Command, failOn } from "./command.ts";
import { defaultStateDir } from "./state.ts";
import { align } from "./table.ts";

/** `dns01 list`: the inventory, soonest renewal first. */
export const command: Command = {
  async run({ flags, issues, io, observer }) {
    failOn(issues);
    const store = await openStore(flags.text("state") ?? defaultStateDir(io.env), { observer });
    const names = await store.certificates.names();
    const stored = await Promise.all(names.map((name) => store.certificates.load(name)));
    const metas = stored
      .flatMap((s) => (s === undefined ? [] : [{ ...s.meta, files: s.files }]))
      .sort((a, b) => a.renewAfter.localeCompare(b.renewAfter));
    const rows = metas.map((m) => [m.name, m.domains.join(" "), day(m.notAfter), day(m.renewAfter), m.ca]);
    const head = ["name", "domains", "expires", "renews", "ca"];
    return {
      json: { certificates: metas },
      text: metas.length === 0 ? "no certificates\n" : `${align([head, ...rows]).join("\n")}\n`,
    };
  },
};

function day(time: string): string {
  return time.slice(0, 16).replace("T", " ");
}
