import type { IncomingMessage } from "node:http";
import { Readable } from "node:stream";
import { expect, test } from "vitest";
import { readBody } from "../../src/webhook/request-body.ts";

const mib = 1024 * 1024;

/** A body of so many MiB; `sent` counts those that were taken. */
function bodyOf(most: number) {
  let sent = 0;
  const chunk = Buffer.alloc(mib);
  const stream = new Readable({
    highWaterMark: 1,
    read() {
      if (sent === most) return void this.push(null);
      sent += 1;
      this.push(chunk);
    },
  });
  return { req: Object.assign(stream, { complete: false }) as unknown as IncomingMessage, sent: () => sent };
}

test("a body of 3 MiB is read whole", async () => {
  expect(await readBody(bodyOf(3).req)).toHaveLength(3 * mib);
});

test("a body that is too large is read to its end, so that the client can read the refusal", async () => {
  const { req, sent } = bodyOf(32);
  await expect(readBody(req)).rejects.toMatchObject({ code: 413 });
  expect(sent()).toBe(32);
});

test("a body without an end is refused after 32 MiB", async () => {
  const { req, sent } = bodyOf(1_000);
  await expect(readBody(req)).rejects.toMatchObject({ code: 413, headers: { connection: "close" } });
  expect(sent()).toBeLessThanOrEqual(34);
  req.destroy();
});
