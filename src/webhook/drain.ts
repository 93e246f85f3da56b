import type { Server, ServerResponse } from "node:http";
import type { Clock } from "../core/clock.ts";

/** Knows which requests are under way, so that the server can end when the last is answered. */
export interface Drain {
  /** To be called for every request. */
  track(res: ServerResponse): void;
  readonly underWay: number;
  /**
   * Takes no new connections, lets idle ones go and waits for the answers of the others; for no longer than `limitMs`.
   * Resolves with how many were cut off.
   */
  end(server: Server, limitMs: number): Promise<number>;
}

/** For the last bytes of answers, and for connections that have not said anything yet. */
const GRACE_MS = 500;

export function createDrain(clock: Clock): Drain {
  const open = new Set<ServerResponse>();
  let onIdle = () => {};
  return {
    get underWay() {
      return open.size;
    },
    track(res) {
      open.add(res);
      res.once("close", () => {
        open.delete(res);
        if (open.size === 0) onIdle();
      });
    },
    async end(server, limitMs) {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const res of open) if (!res.headersSent) res.setHeader("connection", "close");
      server.closeIdleConnections();
      const idle = new Promise<void>((resolve) => {
        onIdle = resolve;
        if (open.size === 0) resolve();
      });
      await within(idle, limitMs, clock);
      const cut = open.size;
      if (cut === 0) await within(closed, GRACE_MS, clock);
      server.closeAllConnections();
      // Connections that are still in their handshake are not among those; they end with the process.
      await within(closed, GRACE_MS, clock);
      return cut;
    },
  };
}

async function within(work: Promise<void>, ms: number, clock: Clock): Promise<void> {
  const stop = new AbortController();
  await Promise.race([work, clock.sleep(ms, stop.signal).catch(() => {})]);
  stop.abort();
}
