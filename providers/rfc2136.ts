import {
  defineProvider,
  holdsZone,
  type Primary,
  parseServer,
  RoundTripError,
  resolveServer,
  type TxtBackend,
  UpdateError,
  updateTxt,
} from "../src/index.ts";
import { config, transportOf } from "./rfc2136/config.ts";
import { classify, configFault } from "./rfc2136/errors.ts";
import { keyOf } from "./rfc2136/key.ts";

export default defineProvider({
  id: "rfc2136",
  title: "Dynamic update (RFC 2136): BIND, Knot, PowerDNS and others",
  docs: "https://www.rfc-editor.org/rfc/rfc2136",
  aliases: ["nsupdate", "dnsupdate"],
  config,
  traits: { ttlSeconds: { min: 0, default: 60 } },
  classify,
  connect: async (given, deps): Promise<TxtBackend> => {
    const server = parseServer(given.nameserver);
    if (server === undefined) throw configFault("nameserver", "is no host name or address");
    const tsig = await keyOf(given, deps);
    const transport = transportOf(given.transport) ?? "tcp";
    const timeoutMs = given.dnsTimeout * 1000;

    /** At the first address of the host that answers. */
    const atServer = async <T>(signal: AbortSignal, work: (primary: Primary, ms: number) => Promise<T>): Promise<T> => {
      let failed: unknown;
      const endpoints = await resolveServer(server, signal);
      // A look-up takes a server less time than an update, and all addresses together get the time of one.
      const ms = Math.ceil((0.75 * timeoutMs) / endpoints.length);
      for (const endpoint of endpoints) {
        try {
          return await work({ server: endpoint, transport, tsig }, ms);
        } catch (error) {
          // What was sent to another address may have been carried out, though no answer came.
          if (failed !== undefined && error instanceof UpdateError) throw error.afterOthers();
          if (!(error instanceof RoundTripError)) throw error;
          failed = error;
        }
      }
      throw failed;
    };

    return {
      findZone: async (apex, { signal }) =>
        (await atServer(signal, (primary, ms) => holdsZone(primary, apex, signal, ms)))
          ? { apex, id: apex }
          : undefined,
      apply: async (zone, edits, { signal, ttlSeconds }) => {
        const wanted = edits.map(({ owner, add, remove }) => ({ owner: owner.fqdn, add, remove }));
        const changed = await atServer(signal, (primary) =>
          updateTxt({ primary, zone: zone.apex, edits: wanted, ttlSeconds, timeoutMs, signal }),
        );
        return changed.map((c) => (c ? "changed" : "unchanged"));
      },
    };
  },
});
