import { test } from "vitest";
import rfc2136 from "../../providers/rfc2136.ts";
import { nameFromLabels } from "../../src/core/name.ts";
import { emptyMessage, encodeMessage, txtStrings, txtValue } from "../../src/dns/codec.ts";
import type { ResourceRecord } from "../../src/dns/message.ts";
import { answerTsig } from "../../src/dns/tsig.ts";
import type { TsigKey } from "../../src/dns/tsig-key.ts";
import {
  cases,
  type InjectedFault,
  runCase,
  type ServiceFault,
  type Subject,
  testProvider,
} from "../../src/testing/index.ts";
import { startUpdateServer } from "../dns/update-server.ts";
import { expectInPage } from "./trial/page.ts";
import { strictly } from "./trial.ts";

const secret = "c3VwZXItc2VjcmV0LXRzaWcta2V5LW9mLTMyLW9jdCE=";
const key: TsigKey = {
  name: nameFromLabels(["acme"]),
  algorithm: "hmac-sha256",
  secret: Buffer.from(secret, "base64"),
};

// Replay a failure with SEED=<number from the failure>.
const seed = Number(process.env["SEED"] ?? Math.floor(Math.random() * 2 ** 32));

const noThrottle = "DNS has no way to ask for fewer requests";
const overTcp = "tried over TCP, where nobody has to wait for an answer that is lost";

const skip = {
  "faults.throttle": noThrottle,
  "faults.page": "no proxy speaks HTML there",
  "faults.not-found-page": "no proxy speaks HTML there",
  "errors.temporary": noThrottle,
  "errors.retry-after": noThrottle,
  "faults.reset": overTcp,
  "faults.lost": overTcp,
  "secrecy.events": overTcp,
  "errors.signal": "tried over TCP, which has connections",
};

const subject = (transport: "udp" | "tcp"): Subject => ({
  provider: rfc2136,
  skip,
  start: async (apexes) => {
    const keys = [key];
    let mood: "well" | "hanging" | "losing" = "well";
    let only: string | undefined;
    let injected: { readonly fault: ServiceFault | "hang"; left: number; met: boolean } | undefined;
    const server = await startUpdateServer({
      keys,
      zones: apexes,
      script: ({ message, verdict }, usual) => {
        if (injected !== undefined && --injected.left === 0) {
          injected.met = true;
          const { id, opcode, questions } = message;
          const servfail = { ...emptyMessage, id, opcode, questions, response: true, rcode: "SERVFAIL" } as const;
          if (injected.fault === "hang") return [];
          if (injected.fault === "unavailable") {
            return [answerTsig(encodeMessage(servfail), verdict, Math.floor(Date.now() / 1000))];
          }
          if (injected.fault === "lost") usual();
          return "cut";
        }
        const { id, opcode, questions } = message;
        if (opcode === "UPDATE" && only !== undefined && questions[0]?.name !== only) {
          const refused = { ...emptyMessage, id, opcode, questions, response: true, rcode: "REFUSED" } as const;
          return [answerTsig(encodeMessage(refused), verdict, Math.floor(Date.now() / 1000))];
        }
        if (mood === "hanging") return [];
        if (mood !== "losing" || message.opcode !== "UPDATE") return undefined;
        mood = "well";
        usual();
        return [];
      },
    });
    const inject = (fault: ServiceFault | "hang", nth: number): InjectedFault => {
      const entry = { fault, left: nth, met: false };
      injected = entry;
      return {
        met: () => entry.met,
        cancel: () => {
          injected = undefined;
        },
      };
    };
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
        const given = { nameserver, tsigKeyName: "acme", tsigSecret: secret, dnsTimeout: 1, transport };
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
      inject,
      takesAnyText: () => true,
      limitTo: (apex) => {
        only = apex;
      },
      hangAt: (nth) => ({ ...inject("hang", nth), isOpen: () => server.connections > 0 }),
      disappear: close,
      hang: () => {
        mood = "hanging";
      },
      stop: close,
    };
  },
});

test("its page says which rules are left out, and why", () => expectInPage("rfc2136", skip));

testProvider(strictly, subject("udp"), { seed, operations: 100 });

test.each(cases.filter(({ id }) => /^(faults.(reset|lost)|secrecy.events|errors.signal)$/.test(id)))(
  "rfc2136 over TCP: $id $title",
  (testCase) => runCase(testCase, subject("tcp"), { seed, operations: 100 }),
);
