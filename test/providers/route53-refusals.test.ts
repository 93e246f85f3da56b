import type { Change } from "@aws-sdk/client-route-53";
import { expect, test } from "vitest";
import { classify } from "../../providers/route53/errors.ts";
import { createRefusals } from "../../providers/route53/refusals.ts";
import { changesOf } from "../../providers/route53/sets.ts";
import { parseName } from "../../src/core/name.ts";
import type { RRsetChange } from "../../src/core/provider.ts";

const apex = parseName("example.com");
const fqdn = parseName("_acme-challenge.example.com");
const owner = { zone: { apex, id: "Z1" }, fqdn, relative: "_acme-challenge" };
const set = { Name: `${fqdn}.`, Type: "TXT", TTL: 60, ResourceRecords: [{ Value: '"old"' }] };
const old = { values: ["old"], ttlSeconds: 60, version: JSON.stringify([set]) };

/** As moto says it, whatever stands there. */
const refusal = Object.assign(new Error("Tried to create resource record set but it already exists"), {
  name: "InvalidChangeBatch",
  $metadata: { httpStatusCode: 400 },
});

/** What is sent when the same change is refused `times` times and taken then. */
async function sentFor(change: RRsetChange, times: number): Promise<readonly (readonly Change[])[]> {
  const refusals = createRefusals();
  const sent: (readonly Change[])[] = [];
  for (let i = 0; i <= times; i++) {
    const send = async (changes: readonly Change[]): Promise<void> => {
      sent.push(changes);
      if (sent.length <= times) throw refusal;
    };
    await refusals.ask([change], changesOf(change), send).catch(() => {});
  }
  return sent;
}

const inShort = (changes: readonly Change[] = []) =>
  changes.map(({ Action, ResourceRecordSet }) => `${Action} ${ResourceRecordSet?.TTL}`);

test("UPSERT is sent only after three refusals of one change, and only behind the DELETE of its set", async () => {
  const swap = { owner, previous: old, next: { values: ["old", "new"], ttlSeconds: 60 } };
  const sent = await sentFor(swap, 3);
  expect(sent.slice(0, 3).map(inShort)).toEqual(Array(3).fill(["DELETE 60", "CREATE 60"]));
  expect(inShort(sent[3])).toEqual(["DELETE 60", "UPSERT 60"]);
});

test("where no set stands it is created with a longer TTL, never by UPSERT", async () => {
  const sent = await sentFor({ owner, next: { values: ["new"], ttlSeconds: 60 } }, 4);
  expect(sent.map(inShort)).toEqual([["CREATE 60"], ["CREATE 60"], ["CREATE 60"], ["CREATE 61"], ["CREATE 62"]]);
});

test("what the service says differs in nothing but its cause: ids and times are left out", () => {
  const said = (id: string, at: string) => {
    const words = `not authorized to perform: route53:ListHostedZonesByName (request id: ${id}) at ${at}`;
    return Object.assign(new Error(words), { name: "AccessDenied", $metadata: { httpStatusCode: 403 } });
  };
  const first = classify(said("7c21f6a0-5b1e-4c53-8b44-1f1d2a3b4c5d", "2026-11-25T03:00:00Z"));
  const second = classify(said("0f8fad5b-d9cb-469f-a165-70867728950e", "2026-11-25T03:00:01Z"));
  expect(first?.message).toBe("not authorized to perform: route53:ListHostedZonesByName at … (AccessDenied)");
  expect(second?.message).toBe(first?.message);
});
