import { systemClock } from "../../src/core/clock.ts";
import { silent } from "../../src/core/events.ts";
import { resolveConfig } from "../../src/core/fields.ts";
import { parseName } from "../../src/core/name.ts";
import { connectSolver } from "../../src/providers.ts";
import { type Measured, many, type Operation, type Scene, zone } from "./scene.ts";
import { providerOf } from "./subjects.ts";

const apex = parseName(zone);
const item = (name: string, ...values: readonly string[]) => ({
  owner: parseName(`_acme-challenge.${name}`),
  values,
  zoneCut: apex,
});

/** Each operation once; every group begins as a new process would, with nothing known. */
export async function measureDns01(scene: Scene): Promise<ReadonlyMap<Operation, Measured>> {
  const { subject, fake, tap, measure } = scene;
  const provider = await providerOf(subject);
  const given = Object.fromEntries(
    Object.entries(fake.config).map(([key, value]) => [
      key,
      typeof value === "string" ? value.replace(fake.http.url, tap.url) : value,
    ]),
  );
  const stop = new AbortController();
  const connect = async () =>
    connectSolver(provider, await resolveConfig(provider, { config: given }), {
      signal: stop.signal,
      observer: silent,
      clock: systemClock,
    });
  const results = new Map<Operation, Measured>();
  const note = async (operation: Operation, work: () => Promise<unknown>) =>
    void results.set(operation, await measure(work));

  const single = [item(`www.${zone}`, "first-value")];
  let solver = await connect();
  await note("first present", () => solver.present(single, stop.signal));
  await note("repeat present", () => solver.present(single, stop.signal));
  await note("clean-up", () => solver.cleanUp(single, stop.signal));

  const pair = [item(zone, "apex-value", "wildcard-value")];
  solver = await connect();
  await note("apex and wildcard: present", () => solver.present(pair, stop.signal));
  await note("apex and wildcard: clean-up", () => solver.cleanUp(pair, stop.signal));

  const twenty = many.map((name) => item(name, "value-of-twenty"));
  solver = await connect();
  await note("20 names: present", () => solver.present(twenty, stop.signal));
  await note("20 names: clean-up", () => solver.cleanUp(twenty, stop.signal));
  stop.abort(new Error("done"));
  return results;
}
