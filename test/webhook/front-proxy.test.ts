import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { connect, createServer, type TLSSocket } from "node:tls";
import { expect, test } from "vitest";
import { createFrontProxy } from "../../src/webhook/front-proxy.ts";
import { defaultIdentityHeaders } from "../../src/webhook/identity.ts";
import { clientAuth, makeCa, serverAuth, serviceName, type TestCa } from "./pki.ts";

const hour = 3_600_000;

const named = { identity: { user: "somebody" } };
const byNoCa = { fault: expect.stringContaining("not by a CA of the front proxy") };

/** One connection with a certificate of `ca`, and what is said of a request on it at that time. */
async function judged(ca: TestCa, others: readonly TestCa[], work: (at: (time: number) => unknown) => void) {
  const leaf = await ca.issue("front-proxy-client", { usages: [clientAuth] });
  const serving = await ca.issue("dns01", { usages: [serverAuth], names: [serviceName] });
  const server = createServer({ ...serving, requestCert: true, rejectUnauthorized: false }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const accepted = once(server, "secureConnection");
  const { port } = server.address() as AddressInfo;
  const client = connect({ port, host: "127.0.0.1", ...leaf, rejectUnauthorized: false });
  try {
    const [socket] = (await accepted) as [TLSSocket];
    let now = 0;
    const authorities = [ca, ...others].map(({ cert }) => new X509Certificate(cert));
    const config = { authorities, allowedNames: [], headers: defaultIdentityHeaders };
    const proxy = createFrontProxy({ config }, () => now);
    const request = new IncomingMessage(socket);
    request.rawHeaders = ["X-Remote-User", "somebody"];
    work((time) => {
      now = time;
      return proxy.identify(request);
    });
  } finally {
    client.destroy();
    server.close();
  }
}

test("a connection from before is not believed any more once the CA of its certificate has ended", async () => {
  const start = Date.now();
  const ca = await makeCa("front-proxy-ca", { notAfter: new Date(start + hour) });
  const other = await makeCa("next-front-proxy-ca", { notAfter: new Date(start + 3 * hour) });
  await judged(ca, [other], (at) => {
    expect(at(start)).toMatchObject(named);
    expect(at(start + hour + 60_000)).toMatchObject(byNoCa);
  });
});

test("a connection from before is believed as soon as the CA of its certificate is valid, by a clock that is set right", async () => {
  const start = Date.now();
  const ca = await makeCa("front-proxy-ca", { notBefore: new Date(start + 60_000) });
  await judged(ca, [], (at) => {
    expect(at(start)).toMatchObject(byNoCa);
    expect(at(start + 61_000)).toMatchObject(named);
  });
});
