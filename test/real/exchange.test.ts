import { expect, test } from "vitest";
import { parseName } from "../../src/core/name.ts";
import type { Message } from "../../src/dns/message.ts";
import { createExchange } from "../../src/dns/transport.ts";
import { changeZone } from "./lab/foreign-hand.ts";
import { until } from "./lab/patience.ts";
import { noDnsFaults } from "./lab/relay.ts";
import { describeInLab } from "./lab/suite.ts";

const signal = () => AbortSignal.timeout(20_000);
const roles = ["knot", "nsd", "bind"] as const;

function texts(message: Message): readonly string[] {
  return message.answers.flatMap((record) =>
    record.type === "TXT" && "strings" in record ? [record.strings.map((s) => Buffer.from(s).toString()).join("")] : [],
  );
}

describeInLab(
  "questions to real servers",
  (inLab) => {
    const fill = async (name: string, values: readonly string[]) => {
      const lab = inLab();
      const adds = values.map((data) => ({ does: "add", name, type: "TXT", data }) as const);
      await changeZone(lab.realAt("knot"), "example.test", lab.keys["hmac-sha256"], adds);
      for (const role of roles) {
        await until(async () => (await ask(role, name)).length === values.length);
      }
    };
    const ask = async (role: (typeof roles)[number], name: string) =>
      texts(
        (await createExchange()({ name: parseName(name), type: "TXT", signal: signal() }, inLab().publicAt(role)))
          .message,
      );

    test.each([1, 8, 9, 20, 21, 40, 200])(
      "%i values come whole from Knot, NSD and BIND, by TCP when they have to",
      async (count) => {
        const name = `many${count}.example.test`;
        const values = Array.from({ length: count }, (_, i) => `${String(i).padStart(3, "0")}${"v".repeat(40)}`);
        await fill(name, values);
        for (const role of roles) {
          const answer = await createExchange()(
            { name: parseName(name), type: "TXT", signal: signal() },
            inLab().publicAt(role),
          );
          expect([...texts(answer.message)].sort(), role).toEqual(values);
          expect(answer.message.authoritative).toBe(true);
          // Between these sizes it depends on what else the server puts into an answer of at most 1232 octets.
          if (count <= 9) expect(answer.transport, role).toBe("udp");
          if (count >= 40) expect(answer.transport, role).toBe("tcp");
        }
      },
    );

    test("the server says who it is (NSID)", async () => {
      const lab = inLab();
      const answer = await createExchange()(
        { name: parseName("example.test"), type: "SOA", signal: signal() },
        lab.publicAt("knot"),
      );
      expect(answer.nsid).toBeDefined();
    });

    test("a missing name comes with the zone's SOA, a server without the zone refuses", async () => {
      const lab = inLab();
      for (const role of roles) {
        const { message } = await createExchange()(
          { name: parseName("none.example.test"), type: "TXT", signal: signal() },
          lab.publicAt(role),
        );
        expect(message.rcode).toBe("NXDOMAIN");
        expect(message.authorities.map((record) => `${record.name} ${record.type}`)).toEqual(["example.test SOA"]);
      }
      const lame = await createExchange()(
        { name: parseName("lame.test"), type: "SOA", signal: signal() },
        lab.publicAt("bind"),
      );
      expect(lame.message.rcode).toBe("REFUSED");
    });

    test("a parent answers with a referral and glue", async () => {
      const lab = inLab();
      const { message } = await createExchange()(
        { name: parseName("_acme-challenge.example.test"), type: "TXT", signal: signal() },
        lab.tld,
      );
      expect(message.authoritative).toBe(false);
      expect(message.authorities.filter((record) => record.type === "NS")).toHaveLength(3);
      expect(message.additionals.filter((record) => record.type === "A")).toHaveLength(3);
    });

    test("a server that never answers is silent, an address without server is not answered either", async () => {
      const lab = inLab();
      const question = { name: parseName("mute.test"), type: "SOA", signal: signal() } as const;
      await expect(createExchange()(question, lab.publicAt("mute"))).rejects.toMatchObject({ kind: "silent" });
      await expect(createExchange()(question, lab.publicAt("dead"))).rejects.toMatchObject({ name: "ExchangeError" });
    });

    test("where every datagram is lost the answer comes over TCP; a truncated one is asked again over TCP", async () => {
      const lab = inLab();
      const relay = lab.relays?.nsd;
      if (relay === undefined) throw new Error("this lab has no relays");
      for (const faults of [{ drop: 1 }, { truncate: 1 }]) {
        relay.faults = { ...noDnsFaults, ...faults };
        const answer = await createExchange()(
          { name: parseName("example.test"), type: "SOA", signal: signal() },
          lab.publicAt("nsd"),
        );
        expect(answer.transport).toBe("tcp");
        expect(answer.message.rcode).toBe("NOERROR");
      }
      relay.faults = noDnsFaults;
    });

    test("an abort settles at once and leaves nothing open", async () => {
      const lab = inLab();
      const controller = new AbortController();
      const asked = createExchange()(
        { name: parseName("mute.test"), type: "SOA", signal: controller.signal },
        lab.publicAt("mute"),
      );
      controller.abort(new Error("enough"));
      await expect(asked).rejects.toThrow("enough");
    });
  },
  { relays: true },
);
