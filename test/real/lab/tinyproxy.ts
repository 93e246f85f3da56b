import { writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { freePort } from "./addresses.ts";
import { type Site, startServer, whenReady } from "./process.ts";
import { serviceFile } from "./services.ts";

export interface Tinyproxy {
  /** "127.0.0.1:PORT" */
  readonly host: string;
  /** Requests so far, as its log has them: "CONNECT localhost:443". */
  asked(): readonly string[];
  stop(): Promise<void>;
}

/** Starts tinyproxy on loopback; it lets in who gives this login. */
export async function startTinyproxy(site: Site, login: { user: string; password: string }): Promise<Tinyproxy> {
  const port = await freePort();
  const file = join(site.dir, "tinyproxy.conf");
  const settings = [
    `Port ${port}`,
    "Listen 127.0.0.1",
    "Allow 127.0.0.1",
    "Timeout 60",
    "LogLevel Connect",
    `BasicAuth ${login.user} ${login.password}`,
  ];
  writeFileSync(file, `${settings.join("\n")}\n`);
  const server = startServer(site, "tinyproxy", [serviceFile("tinyproxy"), "-d", "-c", file]);
  await whenReady(server, () => accepts(port));
  return {
    host: `127.0.0.1:${port}`,
    asked: () =>
      server.log.flatMap(({ text }) => {
        const [, method, target] = /\): (\w+) (\S+) HTTP\//.exec(text) ?? [];
        return method === undefined ? [] : [`${method} ${target}`];
      }),
    stop: () => server.stop(),
  };
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => {
      socket.destroy();
      resolve(true);
    });
    socket.on("error", () => resolve(false));
  });
}
