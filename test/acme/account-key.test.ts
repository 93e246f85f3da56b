import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { ensureAccount } from "../../src/acme/account.ts";
import { deactivateAccount } from "../../src/acme/account-end.ts";
import { rolloverAccount } from "../../src/acme/account-key.ts";
import { ensureStored } from "../../src/acme/account-use.ts";
import { createAcmeClient } from "../../src/acme/client.ts";
import type { AccountAccess, AccountKeeper, KeptAccount } from "../../src/acme/kept-account.ts";
import { generateKey } from "../../src/acme/keys.ts";
import { AcmeError } from "../../src/core/errors.ts";
import type { FaultName, Sandbox } from "../../src/sandbox/index.ts";
import { startSandbox } from "../../src/sandbox/index.ts";
import { fastClock } from "./support.ts";

let box: Sandbox;
/** Strikes the next requests to these paths, one after the other. */
let faults: [path: RegExp, fault: FaultName][] = [];
let kept: KeptAccount | undefined;
let saved: KeptAccount[];
let retired: number;

beforeAll(async () => {
  box = await startSandbox({
    seed: 1,
    script: ({ path }) => {
      const at = faults.findIndex(([pattern]) => pattern.test(path));
      return at === -1 ? undefined : faults.splice(at, 1)[0]?.[1];
    },
  });
});
afterAll(() => box.close());
beforeEach(() => {
  faults = [];
  kept = undefined;
  saved = [];
  retired = 0;
});

const accounts: AccountKeeper & { retire(): Promise<string> } = {
  lock: async () => async () => {},
  load: async () => kept,
  async save(account) {
    kept = account;
    saved.push(account);
  },
  async retire() {
    retired += 1;
    kept = undefined;
    return "away";
  },
};

function access(signal = AbortSignal.timeout(20_000)): AccountAccess<typeof accounts> & { contact: string[] } {
  return {
    directoryUrl: box.directoryUrl,
    caRoot: box.caRootPem,
    contact: [],
    accounts,
    connect: (options) => createAcmeClient(options, { userAgent: "dns01/test", clock: fastClock(), env: {} }),
    signal,
  };
}

async function registered(): Promise<KeptAccount> {
  (await ensureAccount(access())).client.close();
  if (kept === undefined) throw new Error("nothing was kept");
  return kept;
}

/** The stored key opens the account at the CA. */
async function opens(url: string | undefined): Promise<boolean> {
  const client = await ensureStored(access());
  try {
    return (await client.updateAccount({ contact: [] }, access().signal)).url === url;
  } finally {
    client.close();
  }
}

describe("a key change", () => {
  test("stores the new key before the CA hears of it, and then gives it the old one's place", async () => {
    const before = await registered();
    saved = [];
    const after = await rolloverAccount(access());
    expect(saved.map(({ privkey, nextKey }) => [privkey === before.privkey, nextKey !== undefined])).toEqual([
      [true, true],
      [false, false],
    ]);
    expect(after).toMatchObject({ url: before.url, privkey: saved[0]?.nextKey });
    expect(await opens(before.url)).toBe(true);
  });

  test.each<readonly [string, FaultName]>([
    ["was carried out, but whose answer was lost", "lostResponse"],
    ["was carried out, but whose answer was cut", "cutBody"],
    ["never arrived", "reset"],
  ])("that %s is no matter", async (_, fault) => {
    const before = await registered();
    faults = [[/key-change/, fault]];
    const after = await rolloverAccount(access());
    expect([after.url, after.privkey === before.privkey, after.nextKey]).toEqual([before.url, false, undefined]);
    expect(await opens(before.url)).toBe(true);
  });

  test("whose process died after the CA had done it is ended by the next use", async () => {
    const before = await registered();
    const { privkey: nextKey } = await rolloverAccount(access());
    kept = { ...before, nextKey };
    (await ensureAccount(access())).client.close();
    expect(kept).toEqual({ ...before, privkey: nextKey });
    expect(await opens(before.url)).toBe(true);
  });

  test("whose process died before the CA heard of it leaves the old key in use, and is done by the next rollover", async () => {
    const before = await registered();
    const nextKey = await generateKey("ec256");
    kept = { ...before, nextKey };
    expect(await opens(before.url)).toBe(true);
    expect(kept).toEqual({ ...before, nextKey });
    expect(await rolloverAccount(access())).toEqual({ ...before, privkey: nextKey });
    expect(await opens(before.url)).toBe(true);
  });

  test("that the CA refuses leaves the old key, and no new one", async () => {
    const before = await registered();
    const refusal = new AcmeError("keyChange: no", { type: "about:blank", detail: "no" });
    const refusing: AccountAccess = {
      ...access(),
      connect: async (options) =>
        Object.assign(Object.create(await access().connect(options)), {
          changeKey: () => Promise.reject(refusal),
        }),
    };
    await expect(rolloverAccount(refusing)).rejects.toBe(refusal);
    expect(kept).toEqual(before);
  });

  test("of an account that is not stored is refused before anything is sent", async () => {
    const count = box.log.entries.length;
    await expect(rolloverAccount(access())).rejects.toMatchObject({ code: "CONFIG" });
    expect(box.log.entries).toHaveLength(count);
  });
});

describe("the end of an account", () => {
  test("puts it aside once the CA has ended it", async () => {
    await registered();
    faults = [[/^\/account\//, "lostResponse"]];
    expect(await deactivateAccount(access())).toMatchObject({ keptAt: "away" });
    expect(retired).toBe(1);
  });

  test("that was cut short after the CA had ended it is brought to its end", async () => {
    const account = await registered();
    await deactivateAccount(access());
    kept = account;
    await deactivateAccount(access());
    expect(retired).toBe(2);
  });
});
