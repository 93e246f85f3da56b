import { conductOf, forEachInOrder } from "./conduct.ts";
import { byOwner } from "./edits.ts";
import type { Call, Conduct, Owner, TxtBackend } from "./provider.ts";

/**
 * For what takes orders and cannot be asked: neither which zones there are, nor which values. `commandBackend` makes a
 * TxtBackend of it. Both orders are repeated after unclear failures, so doing one twice has to be the same as once.
 */
export interface CommandApi {
  /** Has the value served beside the others of this owner. */
  present(owner: Owner, value: string, call: Call): Promise<void>;
  /** Takes exactly this value away. That it is gone is success. */
  cleanUp(owner: Owner, value: string, call: Call): Promise<void>;
}

/**
 * Makes a TxtBackend of an API that can only be told. It takes every zone that it is asked for, which is the zone cut of
 * DNS where that is known; every order that was carried out counts as a change.
 */
export function commandBackend(api: CommandApi): TxtBackend {
  return {
    conducted: true,
    findZone: async (apex) => ({ apex, id: apex }),
    async apply(_zone, edits, call) {
      const conduct = conductOf(call);
      await forEachInOrder(byOwner(edits), conduct.parallel, async ({ owner, add, remove }) => {
        for (const value of add) await order(conduct, "create", owner, (inner) => api.present(owner, value, inner));
        for (const value of remove) await order(conduct, "delete", owner, (inner) => api.cleanUp(owner, value, inner));
      });
      return edits.map(({ add, remove }) => (add.length + remove.length > 0 ? "changed" : "unchanged"));
    },
  };
}

function order(conduct: Conduct, operation: string, owner: Owner, run: (call: Call) => Promise<void>): Promise<void> {
  const label = { operation, write: true, name: owner.fqdn };
  return conduct.attempt(owner.fqdn, () => conduct.request(label, run));
}
