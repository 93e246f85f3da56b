import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { request } from "node:http";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parseName } from "../../src/core/name.ts";
import { startCloudflareFake } from "../fakes/cloudflare.ts";
import { startDesecFake } from "../fakes/desec.ts";
import { startDnspod } from "../fakes/dnspod.ts";
import { startRoute53 } from "../fakes/route53.ts";
import type { AdapterFake } from "../providers/trial.ts";
import { type ApiCertificate, makeApiCertificate } from "./lab/certificates.ts";
import { cli, type Finished } from "./lab/cli.ts";
import type { Site } from "./lab/process.ts";
import { whyNot } from "./lab/services.ts";
import { startTinyproxy, type Tinyproxy } from "./lab/tinyproxy.ts";

const reason = whyNot(["tinyproxy", "openssl"]);
const apex = parseName("example.com");
const owner = parseName("_acme-challenge.example.com");
const login = { user: "office", password: "passw0rdOfTheOffice" };

/** What a user gives, by its environment names; the endpoint is the fake's behind TLS. */
const providers: Readonly<Record<string, readonly [start: () => Promise<AdapterFake>, names: Record<string, string>]>> =
  {
    cloudflare: [() => startCloudflareFake([apex]), { CLOUDFLARE_API_TOKEN: "apiToken" }],
    desec: [() => startDesecFake([apex]), { DESEC_TOKEN: "token" }],
    dnspod: [() => startDnspod([apex]), { TENCENTCLOUD_SECRET_ID: "secretId", TENCENTCLOUD_SECRET_KEY: "secretKey" }],
    route53: [
      () => startRoute53([apex]),
      { AWS_ACCESS_KEY_ID: "accessKeyID", AWS_SECRET_ACCESS_KEY: "secretAccessKey" },
    ],
  };

describe.skipIf(reason !== undefined)(
  `a proxy process (tinyproxy)${reason === undefined ? "" : ` (${reason})`}`,
  () => {
    const site: Site = { dir: mkdtempSync(join(tmpdir(), "dns01-proxy-")), servers: [] };
    let certificate: ApiCertificate;
    let proxy: Tinyproxy;
    beforeAll(async () => {
      certificate = makeApiCertificate(site.dir);
      proxy = await startTinyproxy(site, login);
    });
    afterAll(async () => {
      await proxy?.stop();
      rmSync(site.dir, { recursive: true, force: true });
    });

    const present = async (id: string, env: (front: string) => Readonly<Record<string, string>>) => {
      const [start, names] = providers[id] ?? [];
      if (start === undefined || names === undefined) throw new Error(`no ${id}`);
      const fake = await start();
      const front = await startFront(fake.http.url, certificate);
      const host = `127.0.0.1:${(front.address() as AddressInfo).port}`;
      const before = proxy.asked().length;
      try {
        const given = Object.entries(names).map(([name, field]) => [name, String(fake.config[field])] as const);
        const done = await cli(
          ["present", owner, "value", "-p", id, "--json"],
          {
            ...Object.fromEntries(given),
            [`${id.toUpperCase()}_ENDPOINT`]: `https://${host}`,
            NODE_EXTRA_CA_CERTS: certificate.root,
            DNS01_STATE: join(site.dir, `state-${id}`),
            AWS_EC2_METADATA_DISABLED: "true",
            ...env(host),
          },
          site.dir,
        );
        return { done, host, values: fake.values(apex, owner), asked: proxy.asked().slice(before) };
      } finally {
        await new Promise((resolve) => front.close(resolve));
        await fake.http.close();
      }
    };
    const address = (password = login.password) => `http://${login.user}:${password}@${proxy.host}`;
    const shown = ({ stdout, stderr }: Finished) => stdout + stderr;

    test.each(Object.keys(providers))("carries the requests of %s, TLS from end to end", async (id) => {
      const { done, host, values, asked } = await present(id, () => ({ HTTPS_PROXY: address() }));
      expect([done.status, shown(done)]).toEqual([0, expect.any(String)]);
      expect(values).toEqual(["value"]);
      expect(new Set(asked)).toEqual(new Set([`CONNECT ${host}`]));
    });

    test("is not asked for what NO_PROXY names", async () => {
      const { done, values, asked } = await present("desec", (host) => ({ HTTPS_PROXY: address(), NO_PROXY: host }));
      expect([done.status, values, asked]).toEqual([0, ["value"], []]);
    });

    test("is named without its login where it refuses that, and the command ends with 3", async () => {
      const { done, values } = await present("desec", () => ({ HTTPS_PROXY: address("wrong-one") }));
      expect(done.status).toBe(3);
      expect(shown(done)).toContain(`the proxy ${proxy.host} answered 40`);
      expect(shown(done)).not.toMatch(/wrong-one|passw0rd/);
      expect(values).toEqual([]);
    });

    test("an address that is no proxy's ends with 2 before anything is asked", async () => {
      const { done, asked } = await present("desec", () => ({ HTTPS_PROXY: "socks5://me:hidden@localhost:1080" }));
      expect([done.status, asked]).toEqual([2, []]);
      expect(shown(done)).toContain("HTTPS_PROXY");
      expect(shown(done)).not.toContain("hidden");
    });
  },
);

/** TLS in front of a fake, as the services have it. */
async function startFront(target: string, { cert, key }: ApiCertificate): Promise<Server> {
  const front = createServer({ cert: readFileSync(cert), key: readFileSync(key) }, (incoming, response) => {
    const { method, headers, url = "/" } = incoming;
    const onward = request(`${target}${url}`, { method, headers, agent: false }, (reply) => {
      response.writeHead(reply.statusCode ?? 502, reply.headers);
      reply.pipe(response);
    });
    onward.on("error", () => response.destroy());
    incoming.pipe(onward);
  });
  await new Promise<void>((resolve) => front.listen(0, "127.0.0.1", resolve));
  return front;
}
