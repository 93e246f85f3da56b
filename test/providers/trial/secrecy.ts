import assert from "node:assert/strict";
import { inspect } from "node:util";
import { fieldsOf } from "../../../src/core/fields.ts";
import { type FakeReply, type FakeRequest, faultKinds } from "../../fakes/http-service.ts";
import type { AdapterFake, Check, Lab } from "./subject.ts";

const owner = "_acme-challenge.www.example.com";

export const secrecyChecks: readonly Check[] = [
  {
    id: "secrecy",
    title: "shows no credential in any error or event, in any spelling, whatever the service says",
    async run(lab) {
      const shown: string[] = [];
      const secrets = new Set<string>();
      const act = async (happen: (fake: AdapterFake) => void) => {
        const fake = await lab.start();
        for (const secret of secretsOf(lab, fake)) secrets.add(secret);
        const instance = await lab.connect(fake, { once: true, requestTimeoutMs: 5000 });
        for (const prepare of [() => {}, () => happen(fake)]) {
          prepare();
          for (const step of [() => instance.present(owner, "value"), () => instance.cleanUp(owner, "value")]) {
            await step().catch((error: unknown) => {
              const json = JSON.stringify(error);
              const { message, stack } = error as Error;
              shown.push(message, stack ?? "", json, inspect(error, { depth: 20, showHidden: true }));
            });
          }
        }
        shown.push(instance.told());
      };
      await act((fake) => fake.refuseCredentials?.());
      for (const kind of faultKinds) await act(({ http }) => http.inject({ kind, times: Number.POSITIVE_INFINITY }));
      for (const status of [200, 400, 401, 403, 404, 429, 500]) {
        await act(({ http, config }) => {
          const given = secretsOf(lab, { config });
          http.inject({
            kind: "reply",
            reply: (request) => parrot(status, request, given),
            times: Number.POSITIVE_INFINITY,
          });
        });
      }
      assert.ok(secrets.size > 0 || fieldsOf(lab.trial.provider).every(({ secret }) => !secret), "no secret was tried");
      for (const secret of secrets) {
        // Half of it is what is left where somebody shortens first and masks afterwards.
        const all = { ...spellings(secret), "first half": secret.slice(0, Math.max(6, secret.length / 2)) };
        for (const [spelling, text] of Object.entries(all)) {
          const where = shown.find((part) => part.includes(text));
          assert.equal(where, undefined, `a secret stands there (${spelling})`);
        }
      }
    },
  },
];

/** A service that repeats what it was sent, and more than that, in every place of its answer. */
function parrot(status: number, request: FakeRequest, given: readonly string[]): FakeReply {
  const spelled = given.flatMap((text) => Object.values(spellings(text)));
  const heard = `${request.body} ${request.rawQuery} ${JSON.stringify(request.headers)} ${spelled.join(" ")}`;
  // Whoever shortens this at a round length cuts through a secret.
  const before = "I do not understand ".padEnd(100 + (status % 3) * 100 - 6, ".");
  const message = `${before}${spelled.join(" ")} ${heard}`;
  const error = { code: 1, Code: "Nonsense", message, Message: message };
  return {
    status,
    headers: { "x-heard": encodeURIComponent(heard) },
    body: { ...error, error, errors: [error], Response: { Error: error, RequestId: heard }, detail: message, heard },
  };
}

function secretsOf({ trial }: Lab, { config }: Pick<AdapterFake, "config">): readonly string[] {
  return fieldsOf(trial.provider).flatMap(({ name, secret }) => {
    const value = config[name];
    return secret && typeof value === "string" ? [value] : [];
  });
}

/** Written down anew: the redactor must not be its own judge. */
function spellings(secret: string): Readonly<Record<string, string>> {
  const bytes = Buffer.from(secret);
  const inside = (before: string) => {
    const text = Buffer.concat([Buffer.from(before), bytes]);
    return text
      .subarray(0, text.length - (text.length % 3))
      .toString("base64")
      .slice(4);
  };
  const all: Readonly<Record<string, string>> = {
    plain: secret,
    base64: bytes.toString("base64").replace(/=+$/, ""),
    "base64, one octet in": inside("x"),
    "base64, two octets in": inside("xx"),
    base64url: bytes.toString("base64url"),
    hexadecimal: bytes.toString("hex"),
    "capital hexadecimal": bytes.toString("hex").toUpperCase(),
    "URL-encoded": encodeURIComponent(secret),
    "form-encoded": new URLSearchParams({ "": secret }).toString().slice(1),
    "JSON-escaped": JSON.stringify(secret).slice(1, -1),
  };
  // A handful of characters proves nothing: they stand in other words too.
  return Object.fromEntries(Object.entries(all).filter(([, text]) => text.length >= 6));
}
