import assert from "node:assert/strict";
import { forEachInOrder } from "../../../src/core/conduct.ts";
import { Dns01Error } from "../../../src/core/errors.ts";
import { createRandom } from "../../../src/testing/random.ts";
import { type FaultKind, faultKinds } from "../../fakes/http-service.ts";
import type { AdapterFake, Check, Lab } from "./subject.ts";

const owner = "_acme-challenge.www.example.com";

/** A way to make a present fail for good. */
interface Cause {
  readonly what: string;
  readonly owner: string;
  /** The state is prepared by a present that works; then this happens. */
  happen(fake: AdapterFake): void;
}

const faultCauses = faultKinds
  .filter((kind) => kind !== "lostResponse")
  .map(
    (kind: FaultKind): Cause => ({
      what: kind,
      owner,
      happen: ({ http }) => http.inject({ kind, times: Number.POSITIVE_INFINITY }),
    }),
  );

const refused: Cause = { what: "refused credentials", owner, happen: (fake) => fake.refuseCredentials?.() };
const noZone: Cause = { what: "no such zone", owner: "_acme-challenge.elsewhere.test", happen: () => {} };

export const messageChecks: readonly Check[] = [
  {
    id: "messages.equal",
    title: "says the same words for the same cause, in every run and every instance",
    run: async (lab) => {
      await forEachInOrder([...faultCauses, noZone], 8, (cause) => expectEqual(lab, cause));
    },
  },
  {
    id: "messages.credentials",
    title: "says AUTH, what to do, and the same words whenever the credentials are refused",
    needs: ["refuseCredentials"],
    async run(lab) {
      const error = await expectEqual(lab, refused);
      assert.equal(error.code, "AUTH", error.message);
      assert.ok(error.message.startsWith(`${lab.trial.provider.id}: `), `"${error.message}" names the provider`);
    },
  },
  {
    id: "messages.request-id",
    title: "keeps request ids out of messages and puts them into the log",
    needs: ["refuseCredentials", "requestIds"],
    async run(lab) {
      const fake = await lab.start();
      const instance = await lab.connect(fake, { once: true });
      fake.refuseCredentials?.();
      const error = await failure(() => instance.present(owner, "value"));
      const ids = fake.requestIds?.() ?? [];
      assert.ok(ids.length > 0, "the fake handed out no request id");
      const words = shownWords(error);
      for (const id of ids) assert.ok(!words.includes(id), `the request id ${id} stands in "${words}"`);
      const told = instance.told();
      const logged = told
        .split("\n")
        .some((line) => /"type":"(call|log)"/.test(line) && ids.some((id) => line.includes(id)));
      assert.ok(logged, `no call or log event names the request id ${ids.join(" or ")}: ${told}`);
    },
  },
];

/** Two instances at one fake and a third at another: all say the same. */
async function expectEqual(lab: Lab, cause: Cause): Promise<Dns01Error> {
  const random = createRandom(lab.seed);
  const errors: Dns01Error[] = [];
  const texts: string[] = [];
  for (const instances of [2, 1]) {
    const fake = await lab.start();
    cause.happen(fake);
    for (let i = 0; i < instances; i++) {
      const config = shuffled(fake.config, random);
      // Only what hangs has to be given up soon; anything else may wait for a busy machine, a list of zones too.
      const patience = { requestTimeoutMs: cause.what === "hang" ? 150_000 : 1_000_000, timeoutMs: 3_000_000 };
      const speed = cause === noZone ? { speed: 5 } : {};
      const instance = await lab.connect(fake, { once: true, config, ...patience, ...speed });
      const error = await failure(() => instance.present(cause.owner, "value"));
      errors.push(error);
      // The address is the user's own setting, and differs between two fakes.
      texts.push(`${error.code} ${shownWords(error)}`.replaceAll(fake.http.host, "HOST"));
    }
  }
  const [first = "", ...others] = texts;
  for (const other of others) assert.equal(other, first, `${cause.what}: equal causes, different words`);
  const varying = /\d{4}-\d\d-\d\dT|\d\d:\d\d:\d\d|\b1[6-9]\d{8}(\d{3})?\b|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}/i;
  assert.doesNotMatch(first, varying, `${cause.what}: a time or an id in the message`);
  const [error] = errors;
  assert.ok(error);
  return error;
}

function shownWords({ message, hint }: Dns01Error): string {
  return hint === undefined ? message : `${message} ${hint}`;
}

async function failure(act: () => Promise<void>): Promise<Dns01Error> {
  const error = await act().then(
    () => assert.fail("success, although the service cannot have done it"),
    (thrown: unknown) => thrown,
  );
  assert.ok(Dns01Error.is(error), `one of our errors, not ${String(error)}`);
  return error;
}

function shuffled(config: Readonly<Record<string, unknown>>, random: () => number): Readonly<Record<string, unknown>> {
  const order = Object.entries(config).map((entry) => ({ entry, at: random() }));
  return Object.fromEntries(order.sort((a, b) => a.at - b.at).map(({ entry }) => entry));
}
