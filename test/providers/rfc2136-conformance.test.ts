import { test } from "vitest";
import rfc2136 from "../../providers/rfc2136.ts";
import { nameFromLabels } from "../../src/core/name.ts";
import { txtStrings, txtValue } from "../../src/dns/codec.ts";
import type { ResourceRecord } from "../../src/dns/message.ts";
import type { TsigKey } from "../../src/dns/tsig-key.ts";
import { testProvider } from "../../src/testing/index.ts";
import { startUpdateServer } from "../dns/update-server.ts";

const secret = "c3VwZXItc2VjcmV0LXRzaWcta2V5LW9mLTMyLW9jdCE=";
const key: TsigKey = {
  name: nameFromLabels(["acme"]),
  algorithm: "hmac-sha256",
  secret: Buffer.from(secret, "base64"),
};

// Replay a failure with SEED=<number from the failure>.
const seed = Number(process.env["SEED"] ?? Math.floor(Math.random() * 2 ** 32));

testProvider(
  test,
  {
    provider: rfc2136,
    start: async (apexes) => {
      const keys = [key];
      let mood: "well" | "hanging" | "losing" = "well";
      const server = await startUpdateServer({
        keys,
        zones: apexes,
        script: ({ message }, usual) => {
          if (mood === "hanging") return [];
          if (mood !== "losing" || message.opcode !== "UPDATE") return undefined;
          mood = "well";
          usual();
          return [];
        },
      });
      const at = (apex: string, fqdn: string) => server.zones.get(apex)?.get(fqdn) ?? [];
      const put = (apex: string, fqdn: string, records: readonly ResourceRecord[]) =>
        void server.zones.get(apex)?.set(fqdn, [...at(apex, fqdn), ...records]);
      let closed = false;
      const close = async () => {
        if (!closed) await server.close();
        closed = true;
      };
      return {
        secrets: [secret],
        connect: async (signal) => {
          const nameserver = `127.0.0.1:${server.to.port}`;
          const given = { nameserver, tsigKeyName: "acme", tsigSecret: secret, dnsTimeout: 1 };
          const http = () => () => Promise.reject(new Error("no HTTP here"));
          return rfc2136.connect(rfc2136.config.parse(given), {
            http,
            signal,
            allowAmbientCredentials: false,
            warn: () => {},
          });
        },
        values: async (apex, fqdn) => at(apex, fqdn).flatMap((r) => txtValue(r) ?? []),
        put: async (apex, fqdn, values, ttl) =>
          put(
            apex,
            fqdn,
            values.map((v) => ({ name: fqdn, class: "IN", ttl, type: "TXT", strings: txtStrings(v) })),
          ),
        putOtherType: async (apex, fqdn) => {
          put(apex, fqdn, [{ name: fqdn, class: "IN", ttl: 60, type: "A", address: "192.0.2.1" }]);
          return async () => at(apex, fqdn).some((r) => r.type === "A");
        },
        ttlSeconds: async (apex, fqdn) => at(apex, fqdn).find((r) => r.type === "TXT")?.ttl,
        loseNextAnswer: () => {
          mood = "losing";
        },
        refuseCredentials: () => {
          keys.length = 0;
        },
        disappear: close,
        hang: () => {
          mood = "hanging";
        },
        stop: close,
      };
    },
  },
  { seed, operations: 100 },
);
