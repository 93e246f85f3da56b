import assert from "node:assert/strict";
import { domain, expectValues, ownerIn } from "./stage.ts";
import type { Case, Service, ServiceFault, Stage } from "./subject.ts";

const apex = "example.com";
const foreign = ["somebody-else"];

/** No change of one value takes more requests. */
const mostCalls = 50;

const faults: Readonly<Record<ServiceFault, string>> = {
  throttle: "is asked for fewer requests",
  unavailable: "is refused by a failing service",
  reset: "loses its connection before it is handled",
  page: "is answered by a proxy's page of HTML",
  lost: "is carried out, but its answer is lost",
};

/** One bad moment of a service that is well before and after costs time and nothing else. */
const singleCases: readonly Case[] = Object.entries(faults).map(([kind, what]) => ({
  id: `faults.${kind}`,
  title: `ends in the right state when any one request ${what}`,
  needs: ["inject"],
  run: async (stage) => {
    const fault = kind as ServiceFault;
    await atEachCall(stage, fault, "add", async (name, inject) => {
      const connection = await stage.connect();
      inject();
      await connection.add(apex, name, "value-1");
      await expectValues(stage.service, apex, name, [...foreign, "value-1"], "added once, theirs untouched");
    });
    await atEachCall(stage, fault, "remove", async (name, inject) => {
      const connection = await stage.connect();
      await connection.add(apex, name, "value-1");
      inject();
      await connection.remove(apex, name, "value-1");
      await expectValues(stage.service, apex, name, foreign, "ours is gone, theirs untouched");
    });
  },
}));

export const faultCases: readonly Case[] = [
  ...singleCases,
  {
    id: "faults.owners",
    title: "leaves out none of several names when any one request is refused by a failing service",
    needs: ["inject"],
    run: async (stage) => {
      await atEachCall(stage, "unavailable", "several", async (name, inject) => {
        const { backend, zone: find } = await stage.connect();
        const zone = await find(apex);
        assert.ok(zone);
        const names = [name, `_acme-challenge.a.${name}`, `_acme-challenge.b.${name}`];
        const edits = names.map((n) => ({ owner: ownerIn(zone, n), add: ["value-1"], remove: [] }));
        inject();
        await backend.apply(zone, edits, { signal: stage.signal, ttlSeconds: 600 });
        for (const n of names.slice(1))
          await expectValues(stage.service, apex, n, ["value-1"], "every name has its value");
        await expectValues(stage.service, apex, name, [...foreign, "value-1"], "every name has its value");
      });
    },
  },
];

/** Repeats `act` at new names with the fault at its first request, its second, and so on until there is no such. */
async function atEachCall(
  { service }: Stage,
  fault: ServiceFault,
  label: string,
  act: (name: string, inject: () => void) => Promise<void>,
): Promise<void> {
  for (let nth = 1; nth <= mostCalls; nth++) {
    const name = `_acme-challenge.${label}-${nth}.example.com`;
    await service.put(domain(apex), domain(name), foreign, 600);
    let injected: ReturnType<NonNullable<Service["inject"]>> | undefined;
    await act(name, () => {
      injected = service.inject?.(fault, nth);
    });
    const met = injected?.met();
    injected?.cancel();
    if (met) continue;
    assert.ok(nth > 1, "not even the first request met the fault");
    return;
  }
  assert.fail(`more than ${mostCalls} requests for one value`);
}
