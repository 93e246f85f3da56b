import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { systemClock } from "../core/clock.ts";
import { AbortedError, Dns01Error } from "../core/errors.ts";
import { atEachCall, removes } from "./each-call.ts";
import { domain, expectValues, ownerIn } from "./stage.ts";
import { type Case, type Connection, type HungRequest, Untried } from "./subject.ts";

const apex = "example.com";
const name = "_acme-challenge.example.com";

/** The least pause that no back-off of the suite reaches by itself. */
const retryAfterSeconds = 1;

/** What an adapter makes of a service that does not do what it was asked for. */
export const refusalCases: readonly Case[] = [
  {
    id: "errors.signal",
    title: "closes the connection of each request when the caller gives up",
    needs: ["hangAt"],
    buildsOn: "errors.abort",
    run: async (stage) => {
      const { connect, service, subject } = stage;
      const inject = (nth: number) => service.hangAt?.(nth);
      await atEachCall(stage, { label: "add", inject }, async (name, inject) => {
        const connection = await connect();
        const hung = inject();
        await giveUp((signal) => change(connection, name, { add: ["value-1"], remove: [] }, signal), hung);
      });
      if (!removes(subject)) return;
      await atEachCall(stage, { label: "remove", inject }, async (name, inject) => {
        const connection = await connect();
        await connection.add(apex, name, "value-1");
        const hung = inject();
        await giveUp((signal) => change(connection, name, { add: [], remove: ["value-1"] }, signal), hung);
      });
    },
  },
  {
    id: "errors.retry-after",
    title: "waits as long as the service asks for",
    needs: ["throttleFor"],
    buildsOn: "faults.throttle",
    run: async (stage) => {
      const { connect, service, subject } = stage;
      const inject = (nth: number) => service.throttleFor?.(retryAfterSeconds, nth);
      await atEachCall(stage, { label: "error", inject }, async (name, inject) => {
        const connection = await connect({ once: true });
        const throttled = inject();
        const error = await failure(connection.add(apex, name, "value-1"));
        if (error === undefined) return await expectValues(service, apex, name, ["value-1"], "a success has added it");
        // Of another cause: the zone may still be locked by the change before, whose last request was refused.
        if (throttled?.met() !== true) return;
        expectPause(error);
      });
      if (removes(subject)) {
        await atEachCall(stage, { label: "removal", inject }, async (name, inject) => {
          await (await connect()).add(apex, name, "value-1");
          const connection = await connect({ once: true });
          const throttled = inject();
          const error = await failure(connection.remove(apex, name, "value-1"));
          if (error !== undefined && throttled?.met() === true) expectPause(error);
        });
      }
      const { clock = systemClock } = subject;
      const connection = await connect();
      inject(1);
      const before = clock.now();
      await connection.add(apex, name, "value-1");
      assert.ok(clock.now() - before >= 1000 * retryAfterSeconds, "it comes back no sooner");
    },
  },
  {
    id: "errors.one-zone",
    title: "does not take a refusal for one zone for wrong credentials in general",
    zones: [apex, "sub.example.com"],
    needs: ["limitTo"],
    buildsOn: "errors.credentials",
    run: async ({ connect, service, signal }) => {
      const connection = await connect({ once: true });
      const below = "_acme-challenge.sub.example.com";
      const known = await connection.zone("sub.example.com");
      service.limitTo?.(domain(apex));
      const refused = await failure(
        change(connection, below, { add: ["value-1"], remove: [] }, signal, "sub.example.com"),
      );
      expectRightKeys(refused);
      if (known !== undefined) {
        const edit = { owner: ownerIn(known, below), add: ["value-1"], remove: [] };
        expectRightKeys(await failure(connection.backend.apply(known, [edit], { signal, ttlSeconds: 600 })));
      }
      const written = await service.values(domain("sub.example.com"), domain(below));
      if (written.length > 0) throw new Untried("the fake does not refuse requests for one zone");
      await connection.add(apex, name, "value-1");
      await expectValues(service, apex, name, ["value-1"], "the zone of these credentials is written");
    },
  },
];

function expectPause(error: Dns01Error): void {
  const { retryAfterMs = 0 } = error as { readonly retryAfterMs?: number | undefined };
  const said = `the error lacks the pause that the service asked for: ${error.code} ${error.message}`;
  assert.ok(retryAfterMs >= 1000 * retryAfterSeconds, said);
}

function expectRightKeys(error: Dns01Error | undefined): void {
  const { wrongKeys } = (error ?? {}) as { readonly wrongKeys?: unknown };
  assert.notEqual(wrongKeys, true, `AuthError with wrongKeys ends the search for a zone: ${error?.message}`);
}

/** One change as the program makes it: the zone first, under the caller's signal. Nothing where the zone is not shown. */
async function change(
  { backend }: Connection,
  name: string,
  edit: { readonly add: readonly string[]; readonly remove: readonly string[] },
  signal: AbortSignal,
  at = apex,
): Promise<void> {
  const call = { signal, ttlSeconds: 600 };
  const zone = await backend.findZone(domain(at), call);
  if (zone !== undefined) await backend.apply(zone, [{ owner: ownerIn(zone, name), ...edit }], call);
}

/** Begins `work` and gives it up as soon as one of its requests hangs. */
async function giveUp(work: (signal: AbortSignal) => Promise<void>, hung: HungRequest | undefined): Promise<void> {
  const stop = new AbortController();
  let over = false;
  const running = work(stop.signal).finally(() => {
    over = true;
  });
  running.catch(() => {});
  await until(() => over || hung?.met() === true);
  if (hung?.met() !== true) return await running;
  stop.abort(new AbortedError("enough"));
  await assert.rejects(running, { message: "enough" });
  await until(() => !hung.isOpen());
  assert.ok(!hung.isOpen(), "the connection of a request that was given up stays open: pass `signal` to the request");
}

/** The error that it fails with, one that says what to do. */
async function failure(work: Promise<unknown>): Promise<Dns01Error | undefined> {
  return await work.then(
    () => undefined,
    (error: unknown) => {
      if (Dns01Error.is(error) && error.code !== "UNKNOWN") return error;
      throw error;
    },
  );
}

/** Sockets keep real time. */
async function until(isSo: () => boolean): Promise<void> {
  for (let left = 600; left > 0 && !isSo(); left--) await sleep(5);
}
