import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Site, startServer, whenReady } from "./process.ts";

export interface Moto {
  readonly url: string;
  /** Forgets every zone and record. */
  reset(): Promise<void>;
  stop(): Promise<void>;
}

const python = "/usr/bin/python3";

/** Why moto cannot run here, or undefined; in CI a missing package is a failure, as whyNot of services.ts has it. */
export function whyNoMoto(): string | undefined {
  if (existsSync("/usr/bin/moto_server")) return undefined;
  const text = "not installed: moto (python3-moto python3-flask-cors)";
  if (process.env["CI"] !== undefined && process.env["CI"] !== "false") throw new Error(text);
  return text;
}

/** Starts moto, a simulation of AWS written in Python, on a port that it picks. */
export async function startMoto(): Promise<Moto> {
  const site: Site = { dir: mkdtempSync(join(tmpdir(), "dns01-moto-")), servers: [] };
  // As a module: /usr/bin/moto_server would run under whatever python3 is first in PATH.
  const server = startServer(site, "moto", [python, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"]);
  let url = "";
  server.onLine(({ text }) => {
    url ||= /Running on (http:\/\/127\.0\.0\.1:\d+)/.exec(text)?.[1] ?? "";
  });
  const post = (path: string) => fetch(`${url}${path}`, { method: "POST" });
  await whenReady(
    server,
    async () =>
      url !== "" &&
      (await post("/moto-api/reset").then(
        ({ ok }) => ok,
        () => false,
      )),
    30_000,
  );
  return {
    url,
    async reset() {
      const { ok, status } = await post("/moto-api/reset");
      if (!ok) throw new Error(`moto answers ${status} to a reset`);
    },
    async stop() {
      await server.stop();
      rmSync(site.dir, { recursive: true, force: true });
    },
  };
}
