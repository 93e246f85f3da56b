import assert from "node:assert/strict";
import { inspect } from "node:util";
import { createRedactor } from "../core/redact.ts";
import { prepare } from "./errors.ts";
import type { Case, Service } from "./subject.ts";

const apex = "example.com";
const name = "_acme-challenge.example.com";

/** What the adapter itself must not show; the program masks whatever a service repeats. */
export const secrecyCases: readonly Case[] = [
  {
    id: "secrecy.errors",
    title: "shows no secret in any part of an error",
    needs: ["refuseCredentials", "secrets"],
    run: async (stage) => {
      const fail = await prepare(stage);
      stage.service.refuseCredentials?.();
      const error = await fail();
      expectNoSecret(stage.service, [inspect(error, { depth: 20, showHidden: true }), error.stack ?? ""]);
    },
  },
  {
    id: "secrecy.events",
    title: "shows no secret in what it tells while it works and repeats",
    needs: ["inject", "secrets"],
    run: async ({ connect, service, told }) => {
      const connection = await connect();
      for (const fault of ["throttle", "unavailable", "reset", "page", "lost"] as const) {
        for (const nth of [1, 2]) {
          const injected = service.inject?.(fault, nth);
          await connection.add(apex, name, "value-1");
          await connection.remove(apex, name, "value-1");
          injected?.cancel();
        }
      }
      expectNoSecret(service, told());
    },
  },
];

function expectNoSecret({ secrets = [] }: Service, shown: readonly string[]): void {
  assert.ok(secrets.length > 0, "there is no secret to look for");
  for (const secret of secrets) {
    const redactor = createRedactor();
    redactor.add(secret);
    assert.ok(
      shown.every((text) => redactor.redact(text) === text),
      "a secret of the configuration is shown",
    );
  }
}
