import { createSocket } from "node:dgram";
import packet from "dns-packet";
import type { At } from "./dig.ts";
import type { Server } from "./process.ts";
import type { Secondary } from "./zones.ts";

/** One pass of the primary over its queue: `messages` UPDATE messages became one new serial. */
export interface ZoneUpdate {
  readonly zone: string;
  readonly at: number;
  readonly messages: number;
  readonly serial: number;
}

/** Milliseconds by which each secondary learns of a change later than the primary made it. */
export type Lag = Record<Secondary, number> & {
  /** For single zones, so that runs on different zones can go on side by side. */
  readonly zones: Map<string, Readonly<Record<Secondary, number>>>;
};

export interface Feed {
  readonly updates: readonly ZoneUpdate[];
  /** NOTIFYs that are still held back are sent at once, and no further ones. */
  close(): void;
}

/**
 * Tells the secondaries of a change, each after its lag. Knot itself would wait a second before any NOTIFY, so the
 * NOTIFY is sent from here as soon as Knot's log says that the update is in the zone.
 */
export function feedSecondaries(
  knot: Server,
  lag: Lag,
  secondariesOf: (zone: string) => readonly (readonly [Secondary, At])[],
  onUpdate: (zone: string) => void,
): Feed {
  const updates: ZoneUpdate[] = [];
  const held = new Set<NodeJS.Timeout>();
  const processing = new Map<string, number>();
  let open = true;
  knot.onLine(({ at, text }) => {
    const begun = /\[([^\]]+)\.\] DDNS, processing (\d+) updates/.exec(text);
    if (begun?.[1] !== undefined) processing.set(begun[1], Number(begun[2]));
    const [, zone, serial] = /\[([^\]]+)\.\] DDNS, finished, serial \d+ -> (\d+)/.exec(text) ?? [];
    if (zone === undefined) return;
    updates.push({ zone, at, messages: processing.get(zone) ?? 1, serial: Number(serial) });
    onUpdate(zone);
    for (const [role, to] of secondariesOf(zone)) {
      const send = () => {
        held.delete(timer);
        if (open) void notify(to, zone);
      };
      const timer = setTimeout(send, (lag.zones.get(zone) ?? lag)[role]);
      held.add(timer);
    }
  });
  return {
    updates,
    close() {
      open = false;
      for (const timer of held) clearTimeout(timer);
      held.clear();
    },
  };
}

/** NOTIFY (RFC 1996), repeated until it is acknowledged. */
function notify(to: At, zone: string): Promise<boolean> {
  const message = packet.encode({
    type: "query",
    id: Math.floor(Math.random() * 0xffff),
    flags: 4 << 11,
    questions: [{ type: "SOA", name: zone }],
  });
  return new Promise((resolve) => {
    const socket = createSocket("udp4");
    let tries = 0;
    const done = (acknowledged: boolean) => {
      clearInterval(timer);
      socket.close();
      resolve(acknowledged);
    };
    const send = () => {
      if (tries++ === 10) return done(false);
      socket.send(message);
    };
    const timer = setInterval(send, 100);
    // A refused datagram (the server is being restarted) is one try like any other.
    socket.on("error", () => {});
    socket.on("message", () => done(true));
    socket.connect(to.port, to.address, send);
  });
}
