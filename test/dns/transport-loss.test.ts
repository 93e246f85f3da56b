import { describe, expect, test } from "vitest";
import { nameFromLabels } from "../../src/core/name.ts";
import type { Message } from "../../src/dns/message.ts";
import { overdueAfterMs, withSample } from "../../src/dns/rtt.ts";
import { createExchange } from "../../src/dns/transport.ts";
import { createVirtualClock } from "../fakes/virtual-clock.ts";
import { virtualWire, type WireServer } from "../fakes/virtual-wire.ts";

const address = "192.0.2.1";
const name = nameFromLabels(["_acme-challenge", "example", "test"]);
const signal = new AbortController().signal;

/** A server one millisecond away; `weather` is asked before each datagram and connection. */
function lossyServer(weather: () => Partial<WireServer>) {
  const clock = createVirtualClock();
  const server = (): WireServer => ({ rttMs: 1, respond: (): Partial<Message> => ({}), ...weather() });
  const servers = Object.defineProperty({}, address, { get: server }) as Readonly<Record<string, WireServer>>;
  const { wire, sent } = virtualWire(clock, servers, () => 0.5);
  const exchange = createExchange({ clock, wire });
  const ask = () => clock.run(exchange({ name, type: "TXT", signal }, { address, port: 53 }));
  return { ask, sent, clock };
}

/** The first question meets nothing; then `weather` holds. */
async function metBefore(weather: () => Partial<WireServer>) {
  let met = false;
  const lossy = lossyServer(() => (met ? weather() : {}));
  await lossy.ask();
  met = true;
  const from = lossy.clock.now();
  lossy.sent.length = 0;
  const since = () => lossy.sent.map(({ at, via }) => [via, Math.round(at - from)]);
  return { ...lossy, since };
}

describe("a lost datagram", () => {
  test("of a server that answers within a millisecond is followed by others and by TCP, each later than the one before", async () => {
    const { ask, since } = await metBefore(() => ({ drop: 1, tcp: "silent" }));
    await expect(ask()).rejects.toMatchObject({ kind: "silent", queries: { udp: 4, tcp: 2 } });
    expect(since()).toEqual([
      ["udp", 0],
      ["udp", 21],
      ["tcp", 63],
      ["udp", 147],
      ["udp", 1_000],
      ["tcp", 1_000],
    ]);
  });

  test("costs no second where TCP works", async () => {
    const { ask, clock } = await metBefore(() => ({ drop: 1 }));
    const from = clock.now();
    expect(await ask()).toMatchObject({ transport: "tcp", queries: { udp: 2, tcp: 1 } });
    expect(clock.now() - from).toBeLessThan(70);
  });

  test("is asked again over UDP where TCP is refused", async () => {
    let datagrams = 0;
    const { ask, since } = await metBefore(() => ({ drop: datagrams++ < 3 ? 1 : 0, tcp: "refuse" }));
    expect((await ask()).transport).toBe("udp");
    expect(since().at(-1)).toEqual(["udp", 147]);
  });

  test("of a server that nobody has met is given its whole second", async () => {
    let datagrams = 0;
    const { ask, sent } = lossyServer(() => ({ drop: datagrams++ === 0 ? 1 : 0 }));
    expect((await ask()).queries.udp).toBe(2);
    expect(sent.map(({ at }) => at)).toEqual([0, 1_000, 1_000]);
  });
});

describe("a question whose answer needs TCP", () => {
  test("goes there at once for a minute, then is tried over UDP again", async () => {
    const { ask, sent, clock } = lossyServer(() => ({ truncate: 1 }));
    expect((await ask()).queries).toMatchObject({ udp: 1, tcp: 1 });
    expect((await ask()).queries).toMatchObject({ udp: 0, tcp: 1 });
    await clock.advance(61_000);
    sent.length = 0;
    await ask();
    expect(sent.map(({ via }) => via)).toEqual(["udp", "tcp"]);
  });

  test("goes over UDP again when TCP brought nothing", async () => {
    let tcp: WireServer["tcp"];
    const { ask, sent } = lossyServer(() => ({ truncate: 1, ...(tcp === undefined ? {} : { tcp }) }));
    await ask();
    tcp = "refuse";
    await expect(ask()).rejects.toThrow("connection refused");
    sent.length = 0;
    await expect(ask()).rejects.toThrow("connection refused");
    expect(sent[0]?.via).toBe("udp");
  });
});

test("the time after which a datagram counts as lost follows the answers and how much they vary", () => {
  const steady = [1, 1, 1, 1].reduce(withSample, undefined as ReturnType<typeof withSample> | undefined);
  if (steady === undefined) throw new Error("no samples");
  expect(overdueAfterMs(steady)).toBe(21);
  const shaken = withSample(steady, 81);
  expect(overdueAfterMs(shaken)).toBeGreaterThan(80);
  const far = [200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200].reduce(withSample, steady);
  expect(overdueAfterMs(far)).toBeGreaterThan(200);
});
