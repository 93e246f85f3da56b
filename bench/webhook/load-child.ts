import { connect, type TLSSocket } from "node:tls";

/** What the parent sends first. */
export interface Load {
  readonly port: number;
  readonly cert: string;
  readonly key: string;
  readonly connections: number;
  readonly calls: number;
  readonly path: string;
  /** Sent as it is, with a name of its own for every call. */
  readonly body: string;
  readonly headers: readonly string[];
}

export interface LoadResult {
  readonly seconds: number;
  readonly latenciesMs: readonly number[];
  readonly failed: number;
}

/** A client that costs little, in a process of its own: one socket per lane, one request after the other. */
process.on("message", async (load: Load) => {
  const lanes = await Promise.all(Array.from({ length: load.connections }, () => open(load)));
  const latenciesMs: number[] = [];
  let sent = 0;
  let failed = 0;
  const startedAt = performance.now();
  await Promise.all(
    lanes.map(async (ask) => {
      while (sent < load.calls) {
        sent += 1;
        const at = performance.now();
        const text = await ask(load.body.replaceAll("@", `n${sent % 1000}`));
        latenciesMs.push(performance.now() - at);
        if (!text.startsWith("HTTP/1.1 201 ") || !text.includes('"success":true')) failed += 1;
      }
    }),
  );
  const seconds = (performance.now() - startedAt) / 1_000;
  process.send?.({ seconds, latenciesMs, failed } satisfies LoadResult, () => process.exit(0));
});

type Ask = (body: string) => Promise<string>;

function open({ port, cert, key, path, headers }: Load): Promise<Ask> {
  return new Promise((resolve, reject) => {
    let answered: (text: string) => void = () => {};
    let text = "";
    const socket: TLSSocket = connect({ host: "127.0.0.1", port, cert, key, rejectUnauthorized: false }, () =>
      resolve((body) => {
        const head = [`POST ${path} HTTP/1.1`, "Host: webhook", `Content-Length: ${body.length}`, ...headers];
        socket.write(`${head.join("\r\n")}\r\n\r\n${body}`);
        return new Promise((done) => {
          answered = done;
        });
      }),
    );
    socket.setNoDelay(true);
    socket.on("data", (piece) => {
      text += piece.toString("latin1");
      const end = text.indexOf("\r\n\r\n");
      const length = Number(/^content-length: (\d+)$/im.exec(text.slice(0, end))?.[1]);
      if (end === -1 || text.length < end + 4 + length) return;
      const whole = text;
      text = "";
      answered(whole);
    });
    socket.on("error", reject);
  });
}
