import { expect, test } from "vitest";
import rfc2136 from "../../providers/rfc2136.ts";
import { parseName } from "../../src/core/name.ts";
import type { Call, Edit, TxtBackend } from "../../src/core/provider.ts";
import { createRandom } from "../../src/testing/random.ts";
import { dig, txtValues } from "./lab/dig.ts";
import { changeZone } from "./lab/foreign-hand.ts";
import type { Lab } from "./lab/lab.ts";
import { pause } from "./lab/patience.ts";
import { describeInLab, repeats } from "./lab/suite.ts";

const rounds = repeats(60, 1000);
const seed = Number(process.env["DNS01_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
const apex = "example.test";
const call = (): Call => ({ signal: AbortSignal.timeout(15_000), ttlSeconds: 30 });

function connect(lab: Lab): Promise<TxtBackend> | TxtBackend {
  const at = lab.realAt("knot");
  const key = lab.keys["hmac-sha256"];
  const config = rfc2136.config.parse({
    nameserver: `${at.address}:${at.port}`,
    tsigKeyName: key.name,
    tsigSecret: key.secret,
    tsigAlgorithm: key.algorithm,
  });
  const http = () => {
    throw new Error("rfc2136 speaks no HTTP");
  };
  return rfc2136.connect(config, {
    http,
    signal: AbortSignal.timeout(600_000),
    allowAmbientCredentials: false,
    warn: () => {},
  });
}

describeInLab(`present and clean-up of several processes at once (DNS01_SEED=${seed})`, (inLab) => {
  test(`${rounds} random interleavings leave foreign values, other types and other people's challenges alone`, {
    timeout: 900_000,
    retry: 0,
  }, async () => {
    const lab = inLab();
    const random = createRandom(seed);
    const at = lab.realAt("knot");
    const key = lab.keys["hmac-sha256"];
    // Each is what a process of its own would have: nothing is shared between them but the server.
    const processes = await Promise.all([0, 1, 2].map(() => connect(lab)));
    for (let round = 0; round < rounds; round++) {
      const name = `_acme-challenge.r${round % 7}.${apex}`;
      const owner = {
        zone: { apex: parseName(apex), id: apex },
        fqdn: parseName(name),
        relative: `_acme-challenge.r${round % 7}`,
      };
      const write = (backend: TxtBackend, change: Partial<Pick<Edit, "add" | "remove">>) =>
        backend.apply(owner.zone, [{ owner, add: change.add ?? [], remove: change.remove ?? [] }], call());
      await changeZone(at, apex, key, [
        { does: "add", name, type: "TXT", data: "foreign" },
        { does: "add", name, type: "A", data: "192.0.2.1" },
      ]);
      const linger = () => pause(random() * 6);
      const solve = async (backend: TxtBackend, who: number) => {
        const values = [`own-${who}-a`, `own-${who}-b`];
        await linger();
        await write(backend, { add: values });
        if (random() < 0.3) await write(backend, { add: values });
        expect(await txtValues(at, name), `round ${round}, process ${who}`).toEqual(expect.arrayContaining(values));
        await linger();
        expect(await txtValues(at, name), `round ${round}, process ${who}`).toEqual(expect.arrayContaining(values));
        await write(backend, { remove: values });
        if (random() < 0.3) await write(backend, { remove: values });
      };
      const others = async () => {
        await linger();
        await changeZone(at, apex, key, [{ does: "add", name, type: "TXT", data: `other-${round}` }]);
      };
      await Promise.all([...processes.map(solve), others()]);
      expect(await txtValues(at, name), `round ${round}`).toEqual(["foreign", `other-${round}`]);
      expect((await dig(at, name, "A", { tries: 3 }))?.answers).toHaveLength(1);
      await changeZone(at, apex, key, [{ does: "remove", name, type: "TXT", data: `other-${round}` }]);
    }
  });
});
