import assert from "node:assert/strict";
import { Dns01Error } from "../../../src/core/errors.ts";
import { domain, expectServed } from "./lab.ts";
import type { Check } from "./subject.ts";

/** Owner, and the zone that has to serve its value. */
type Placed = readonly (readonly [owner: string, zone: string])[];

const placements: readonly {
  readonly id: string;
  readonly title: string;
  readonly zones: readonly string[];
  readonly placed: Placed;
}[] = [
  {
    id: "nested",
    title: "takes the longest of the zones that hold a name",
    zones: ["example.com", "sub.example.com"],
    placed: [
      ["_acme-challenge.example.com", "example.com"],
      ["_acme-challenge.www.example.com", "example.com"],
      ["_acme-challenge.sub.example.com", "sub.example.com"],
      ["_acme-challenge.a.b.sub.example.com", "sub.example.com"],
      ["_acme-challenge.notsub.example.com", "example.com"],
    ],
  },
  {
    id: "decoy",
    title: "goes by labels, not by letters",
    zones: ["notexample.com", "example.com", "example.com.example"],
    placed: [
      ["_acme-challenge.example.com", "example.com"],
      ["_acme-challenge.notexample.com", "notexample.com"],
      ["_acme-challenge.example.com.example", "example.com.example"],
    ],
  },
  {
    id: "apex",
    title: "writes at the apex of a zone made for one challenge name",
    zones: ["example.com", "_acme-challenge.x.example.com"],
    placed: [
      ["_acme-challenge.x.example.com", "_acme-challenge.x.example.com"],
      ["_acme-challenge.y.example.com", "example.com"],
    ],
  },
  {
    id: "idn",
    title: "finds an internationalized zone as the service spells it",
    zones: ["bücher.example", "example.com"],
    placed: [
      ["_acme-challenge.bücher.example", "bücher.example"],
      ["_acme-challenge.straße.bücher.example", "bücher.example"],
    ],
  },
  {
    id: "many",
    title: "finds each of 3,001 zones, wherever the service lists it",
    zones: [
      ...Array.from({ length: 1500 }, (_, i) => `a${i}.example`),
      "example.com",
      ...Array.from({ length: 1500 }, (_, i) => `z${i}.example`),
    ],
    placed: [
      ["_acme-challenge.a0.example", "a0.example"],
      ["_acme-challenge.example.com", "example.com"],
      ["_acme-challenge.z1499.example", "z1499.example"],
    ],
  },
];

export const zoneChecks: readonly Check[] = [
  ...placements.map(
    ({ id, title, zones, placed }): Check => ({
      id: `zones.choice-${id}`,
      title,
      async run(lab) {
        const fake = await lab.start(...zones);
        const instance = await lab.connect(fake);
        for (const [owner, zone] of placed) {
          await instance.present(owner, "value");
          const holders = new Set(placed.map(([, apex]) => apex));
          for (const apex of holders) {
            if (!domain(owner).endsWith(domain(apex))) continue;
            expectServed(fake, apex, owner, apex === zone ? ["value"] : [], `${owner} in the zone ${apex}`);
          }
          await instance.cleanUp(owner, "value");
          expectServed(fake, zone, owner, [], `${owner} after clean-up`);
        }
      },
    }),
  ),
  {
    id: "zones.choice-none",
    title: "says ZONE_NOT_FOUND for a name that only looks like one of its zones",
    async run(lab) {
      const fake = await lab.start("example.com");
      const instance = await lab.connect(fake);
      for (const owner of ["_acme-challenge.notexample.com", "_acme-challenge.example.com.test"]) {
        const error = await instance.present(owner, "value").then(
          () => assert.fail(`${owner} was written somewhere`),
          (thrown: unknown) => thrown,
        );
        assert.ok(Dns01Error.is(error) && error.code === "ZONE_NOT_FOUND", `${owner}: ${String(error)}`);
      }
      assert.deepEqual(
        fake.http.calls.filter(({ write }) => write).map(({ operation }) => operation),
        [],
        "nothing is written",
      );
    },
  },
  {
    id: "zones.choice-limited",
    title: "works with credentials that see one zone only",
    needs: ["limitTo"],
    async run(lab) {
      const fake = await lab.start("example.com", "sub.example.com", "elsewhere.test");
      fake.limitTo?.(domain("example.com"));
      const instance = await lab.connect(fake);
      const owner = "_acme-challenge.a.b.example.com";
      await instance.present(owner, "value");
      expectServed(fake, "example.com", owner, ["value"], "the zone it may see");
      await instance.cleanUp(owner, "value");
      expectServed(fake, "example.com", owner, [], "after clean-up");
      const error = await instance
        .present("_acme-challenge.elsewhere.test", "value")
        .catch((thrown: unknown) => thrown);
      assert.ok(
        Dns01Error.is(error) && (error.code === "AUTH" || error.code === "ZONE_NOT_FOUND"),
        `a zone it may not see: ${String(error)}`,
      );
    },
  },
];
