import assert from "node:assert/strict";
import { forEachInOrder } from "../../../src/core/conduct.ts";
import { Dns01Error } from "../../../src/core/errors.ts";
import { type Fault, type FaultKind, faultKinds } from "../../fakes/http-service.ts";
import { domain, expectServed } from "./lab.ts";
import type { AdapterFake, Check, Instance, Lab } from "./subject.ts";

const apex = "example.com";
const owner = "_acme-challenge.www.example.com";
const values = ["value-1", "value-2"];

/** Only a request that hangs has to be given up, after 600 ms of the test's time; anything else may wait for a busy machine. */
const patienceFor = (kind: FaultKind | undefined) => ({
  requestTimeoutMs: kind === "hang" ? 60_000 : 1_000_000,
  timeoutMs: 3_000_000,
});

/** One fault in one place. */
interface Cell {
  readonly kind: FaultKind;
  readonly nth: number;
}

export const faultChecks: readonly Check[] = [
  {
    id: "faults.present",
    title: "survives each kind of fault at each call of present",
    async run(lab) {
      const act = async ({ instance }: Set) => {
        await instance.present(owner, ...values);
        // The second look is the same call again.
        if (lab.trial.unconditional !== undefined) await instance.present(owner, ...values);
      };
      const calls = await countCalls(lab, act);
      await eachCell(cells(calls), async (cell, where) => {
        const set = await stage(lab, cell.kind);
        const { fake, intact } = set;
        fake.http.inject(cell);
        const error = await outcome(() => act(set));
        expectMet(fake, cell, where);
        intact(where);
        if (error === undefined) expectServed(fake, apex, owner, [...lab.foreign, ...values], `${where}: success`);
        else expectAtMostOnce(fake, lab, where);
        expectSurvived(error, where);
        fake.http.calm();
        await (await lab.connect(fake)).cleanUp(owner, ...values);
        expectServed(fake, apex, owner, lab.foreign, `${where}: and after clean-up by another program`);
      });
    },
  },
  {
    id: "faults.clean-up",
    title: "survives each kind of fault at each call of clean-up",
    async run(lab) {
      const prepare = async (kind?: FaultKind) => {
        const set = await stage(lab);
        await set.instance.present(owner, ...values);
        // Another program, as after a restart: it has to find zone and records itself.
        return { ...set, instance: await lab.connect(set.fake, patienceFor(kind)) };
      };
      const calls = await countCalls(lab, ({ instance }) => instance.cleanUp(owner, ...values), prepare);
      await eachCell(cells(calls), async (cell, where) => {
        const { fake, instance, intact } = await prepare(cell.kind);
        fake.http.inject(cell);
        const error = await outcome(() => instance.cleanUp(owner, ...values));
        expectMet(fake, cell, where);
        intact(where);
        if (error === undefined) expectServed(fake, apex, owner, lab.foreign, `${where}: success`);
        else expectAtMostOnce(fake, lab, where);
        expectSurvived(error, where);
      });
    },
  },
  {
    id: "faults.lasting",
    title: "ends with the right state or the right error when a fault stays",
    async run(lab) {
      const scopes = {
        "all calls": () => true,
        "all writes": ({ write }: { readonly write: boolean }) => write,
      };
      const work = Object.entries(scopes).flatMap(([scope, when]) => faultKinds.map((kind) => ({ scope, when, kind })));
      await forEachInOrder(work, 8, async ({ scope, when, kind }) => {
        const where = `${kind} at ${scope}`;
        const { fake, intact } = await stage(lab);
        const instance = await lab.connect(fake, {
          speed: 50,
          timeoutMs: 150_000,
          requestTimeoutMs: kind === "hang" ? 60_000 : 140_000,
        });
        fake.http.inject({ kind, when, times: Number.POSITIVE_INFINITY });
        const error = await outcome(() => instance.present(owner, ...values));
        intact(where);
        if (error === undefined) {
          assert.equal(kind, "lostResponse", `${where}: success, although no call can have succeeded`);
          expectServed(fake, apex, owner, [...lab.foreign, ...values], `${where}: success`);
          return;
        }
        expectAtMostOnce(fake, lab, where);
        const code = kind === "throttle" || kind === "throttleRetryAfter" ? "RATE_LIMITED" : "TRANSIENT";
        assert.equal(error.code, code, `${where}: ${error.message}`);
      });
    },
  },
];

function cells(calls: number): readonly Cell[] {
  return Array.from({ length: calls }, (_, i) => faultKinds.map((kind) => ({ kind, nth: i + 1 }))).flat();
}

async function eachCell(all: readonly Cell[], work: (fault: Fault, where: string) => Promise<void>): Promise<void> {
  await forEachInOrder(all, 16, (cell) => work(cell, `${cell.kind} at call ${cell.nth}`));
}

interface Set {
  readonly fake: AdapterFake;
  readonly instance: Instance;
  /** What belongs to others is untouched. */
  intact(where: string): void;
}

async function stage(lab: Lab, kind?: FaultKind): Promise<Set> {
  const { foreign } = lab;
  const fake = await lab.start(apex);
  if (foreign.length > 0) fake.put(domain(apex), domain(owner), foreign, 600);
  const otherStands = fake.putOtherType?.(domain(apex), domain(owner));
  return {
    fake,
    instance: await lab.connect(fake, patienceFor(kind)),
    intact(where) {
      const there = fake.values(domain(apex), domain(owner));
      const lost = foreign.filter((value) => there.filter((v) => v === value).length !== 1);
      assert.deepEqual(lost, [], `${where}: foreign values are lost or doubled`);
      assert.notEqual(otherStands?.(), false, `${where}: the record of another type is gone`);
    },
  };
}

async function countCalls(lab: Lab, act: (set: Set) => Promise<void>, prepare = () => stage(lab)): Promise<number> {
  const set = await prepare();
  set.fake.http.clearCalls();
  await act(set);
  return set.fake.http.calls.length;
}

async function outcome(act: () => Promise<void>): Promise<Dns01Error | undefined> {
  try {
    await act();
    return undefined;
  } catch (error) {
    assert.ok(Dns01Error.is(error), `one of our errors, not ${String(error)}`);
    assert.notEqual(error.code, "UNKNOWN", `an error that says what to do: ${error.message}`);
    return error;
  }
}

/** A cell that never met its fault would prove nothing. */
function expectMet(fake: AdapterFake, { kind }: Fault, where: string): void {
  assert.equal(fake.http.calls.filter(({ fault }) => fault === kind).length, 1, `${where}: the fault was not met`);
}

function expectAtMostOnce(fake: AdapterFake, { foreign }: Lab, where: string): void {
  const there = fake.values(domain(apex), domain(owner)).filter((value) => !foreign.includes(value));
  assert.deepEqual(
    [...there].sort(),
    values.filter((value) => there.includes(value)),
    `${where}: doubles or nonsense`,
  );
}

/** One bad moment of a service that is well before and after is no reason to fail. */
function expectSurvived(error: Dns01Error | undefined, where: string): void {
  assert.equal(error, undefined, `${where}: not survived: ${error?.code} ${error?.message}`);
}
