import { findings } from "../issuer/certificate-state.ts";
import { openStore } from "../store/index.ts";
import type { Command } from "./command.ts";
import { declaredIn, entryDocument, readInventory } from "./inventory.ts";
import { listText } from "./list-text.ts";
import { defaultStateDir } from "./state.ts";

/** `dns01 list`: the inventory, soonest renewal first. */
export const command: Command = {
  async run(input) {
    const { flags, io, observer } = input;
    const { declared, isWhole } = await declaredIn(input);
    const store = await openStore(flags.text("state") ?? defaultStateDir(io.env), { observer });
    const now = new Date();
    const { entries, faults } = await readInventory(store, declared, now);
    const damaged = faults.map(({ name, fault }) => `damaged: ${name}: ${fault}`);
    const isFound = faults.length > 0 || entries.some(({ state }) => findings.has(state));
    return {
      json: { certificates: entries.map(entryDocument), ...(faults.length === 0 ? {} : { faults }) },
      text: `${[...listText(entries, now.getTime()), ...damaged].join("\n")}\n`,
      // A list that is not whole must not look like one that is.
      status: flags.on("check") && isFound ? 6 : faults.length > 0 || !isWhole ? 2 : 0,
    };
  },
};
