import assert from "node:assert/strict";
import { domain, expectValues } from "./stage.ts";
import { type Case, Untried } from "./subject.ts";

const apex = "example.com";
const name = "_acme-challenge.example.com";
const foreign = ["google-site-verification=abc", "somebody-else"];

/** What others write: a key in two strings, what has to be escaped, and characters of several octets at the cut. */
const awkward = [`v=DKIM1; p=${"A".repeat(300)}`, 'say "hi" \\ \\065', "grüße, 你好", "ü".repeat(200)];

/** What is not ours stays as it is. */
export const siblingCases: readonly Case[] = [
  {
    id: "siblings.adding",
    title: "leaves foreign values of the name alone when adding",
    run: async ({ connect, service }) => {
      await service.put(domain(apex), domain(name), foreign, 600);
      await (await connect()).add(apex, name, "value-1");
      await expectValues(service, apex, name, [...foreign, "value-1"], "foreign values stay beside ours");
    },
  },
  {
    id: "siblings.removing",
    title: "leaves foreign values of the name alone when removing",
    run: async ({ connect, service }) => {
      const connection = await connect();
      await connection.add(apex, name, "value-1");
      await service.put(domain(apex), domain(name), foreign, 600);
      await connection.remove(apex, name, "value-1");
      await expectValues(service, apex, name, foreign, "foreign values stay after ours is gone");
    },
  },
  {
    id: "siblings.names",
    title: "leaves the same value at other names alone",
    run: async ({ connect, service }) => {
      const others = ["_acme-challenge.www.example.com", "x_acme-challenge.example.com", "example.com"];
      for (const other of others) await service.put(domain(apex), domain(other), ["value-1"], 600);
      const connection = await connect();
      await connection.add(apex, name, "value-1");
      await connection.remove(apex, name, "value-1");
      for (const other of others) await expectValues(service, apex, other, ["value-1"], `${other} is untouched`);
    },
  },
  {
    id: "siblings.types",
    title: "leaves records of other types alone",
    needs: ["putOtherType"],
    run: async ({ connect, service }) => {
      const stands = await service.putOtherType?.(domain(apex), domain(name));
      const connection = await connect();
      await connection.add(apex, name, "value-1");
      await connection.remove(apex, name, "value-1");
      assert.equal(await stands?.(), true, "the record of the other type is still there");
    },
  },
  {
    id: "siblings.ttl",
    title: "leaves the TTL of an existing set alone",
    needs: ["ttlSeconds"],
    run: async ({ connect, service }) => {
      await service.put(domain(apex), domain(name), ["somebody-else"], 4321);
      const connection = await connect();
      await connection.add(apex, name, "value-1");
      await connection.remove(apex, name, "value-1");
      assert.equal(await service.ttlSeconds?.(domain(apex), domain(name)), 4321, "the foreign value keeps its TTL");
    },
  },
  {
    id: "siblings.octets",
    title: "leaves foreign values alone octet for octet: long ones, quotes, backslashes and other than ASCII",
    needs: ["takesAnyText"],
    buildsOn: "siblings.adding",
    run: async ({ connect, service }) => {
      await service.put(domain(apex), domain(name), awkward, 600);
      try {
        const connection = await connect();
        await connection.add(apex, name, "value-1");
        await expectValues(
          service,
          apex,
          name,
          [...awkward, "value-1"],
          "they come back as they were when ours is added",
        );
        await connection.remove(apex, name, "value-1");
        await expectValues(service, apex, name, awkward, "they come back as they were when ours is removed");
      } catch (error) {
        if (service.takesAnyText?.()) throw error;
        throw new Untried(
          "the fake does not show values with quotes, backslashes or over 255 octets as a service does",
        );
      }
    },
  },
];
