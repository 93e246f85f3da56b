import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { connect, createServer, type TLSSocket } from "node:tls";
import { expect, test } from "vitest";
import { createFrontProxy } from "../../src/webhook/front-proxy.ts";
import { defaultIdentityHeaders } from "../../src/webhook/identity.ts";
import { clientAuth, makeCa, serverAuth, serviceName } from "./pki.ts";

const hour = 3_600_000;

test("a connection from before is not believed any more once the CA of its certificate has ended", async () => {
  const start = Date.now();
  const ca = await makeCa("front-proxy-ca", { notAfter: new Date(start + hour) });
  const other = await makeCa("next-front-proxy-ca", { notAfter: new Date(start + 3 * hour) });
  const leaf = await ca.issue("front-proxy-client", { usages: [clientAuth], notAfter: new Date(start + 2 * hour) });
  const serving = await other.issue("dns01", { usages: [serverAuth], names: [serviceName] });
  const server = createServer({ ...serving, requestCert: true, rejectUnauthorized: false }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const accepted = once(server, "secureConnection");
  const { port } = server.address() as AddressInfo;
  const client = connect({ port, host: "127.0.0.1", ...leaf, rejectUnauthorized: false });
  try {
    const [socket] = (await accepted) as [TLSSocket];
    let now = start;
    const authorities = [ca, other].map(({ cert }) => new X509Certificate(cert));
    const config = { authorities, allowedNames: [], headers: defaultIdentityHeaders };
    const proxy = createFrontProxy({ config }, () => now);
    const request = new IncomingMessage(socket);
    request.rawHeaders = ["X-Remote-User", "somebody"];
    expect(proxy.identify(request)).toMatchObject({ identity: { user: "somebody" } });
    now = start + hour + 60_000;
    expect(proxy.identify(request)).toMatchObject({ fault: expect.stringContaining("not by a CA of the front proxy") });
  } finally {
    client.destroy();
    server.close();
  }
});
