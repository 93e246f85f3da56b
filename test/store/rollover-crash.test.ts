import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ensureAccount } from "../../src/acme/account.ts";
import { rolloverAccount } from "../../src/acme/account-key.ts";
import { ensureStored } from "../../src/acme/account-use.ts";
import { createAcmeClient } from "../../src/acme/client.ts";
import type { Dns01Event, Observer } from "../../src/core/events.ts";
import { type Sandbox, startSandbox } from "../../src/sandbox/index.ts";
import { openStore } from "../../src/store/index.ts";
import { fastClock } from "../acme/support.ts";

let box: Sandbox;
beforeAll(async () => {
  box = await startSandbox({ seed: 6 });
});
afterAll(() => box.close());

/** The account in this folder, with everything that outlives the process told to the observer. */
async function opened(dir: string, observer: Observer) {
  const store = await openStore(dir, { observer });
  const access = {
    directoryUrl: box.directoryUrl,
    caRoot: box.caRootPem,
    contact: [],
    // A lock of this very process, which lives on, would be waited for; a process that died is succeeded (lock.test.ts).
    accounts: { ...store.accounts, lock: async () => async () => {} },
    connect: (options: Parameters<typeof createAcmeClient>[0]) =>
      createAcmeClient(options, { userAgent: "dns01/test", clock: fastClock(), observer, env: {} }),
    signal: AbortSignal.timeout(20_000),
  };
  return { store, access };
}

/** Rolls over with an end at the n-th step; whether it came that far. */
async function endsAt(n: number): Promise<boolean> {
  const dir = await mkdtemp(join(tmpdir(), "dns01-rollover-"));
  try {
    const first = await opened(dir, () => {});
    const { account } = await ensureAccount(first.access);
    let steps = 0;
    let died = false;
    const dying = await opened(dir, (event: Dns01Event) => {
      if (event.type !== "step") return;
      steps += 1;
      if (steps < n) return;
      died = true;
      // Once dead, it does nothing any more.
      throw new Error("killed");
    });
    await rolloverAccount(dying.access).catch((error: unknown) => {
      if (!died) throw error;
    });
    await dying.store.close().catch(() => {});
    const again = await opened(dir, () => {});
    // Whichever of the two keys counts, the account is opened by what is stored …
    const client = await ensureStored(again.access);
    expect((await client.updateAccount({ contact: [] }, again.access.signal)).url, `killed at step ${n}`).toBe(
      account.url,
    );
    client.close();
    // … and another change goes through.
    const changed = await rolloverAccount(again.access);
    expect(changed, `killed at step ${n}`).toMatchObject({ url: account.url });
    expect(await again.store.accounts.load(box.directoryUrl)).toEqual(changed);
    return died;
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

/** Every step in the soak, else each fifth, from another one each time. */
const stride = process.env["DNS01_SOAK"] === "1" ? 1 : 5;

test("a key change that ends at any step leaves an account that opens, and can be changed again", async () => {
  let n = 1 + Math.floor(Math.random() * stride);
  while (await endsAt(n)) n += stride;
  expect(n).toBeGreaterThan(12);
});
