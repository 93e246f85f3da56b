import { IncomingMessage, ServerResponse } from "node:http";
import { Socket } from "node:net";
import { expect, test } from "vitest";
import { systemClock } from "../../src/core/clock.ts";
import { createChallengeHandler } from "../../src/webhook/challenge-handler.ts";
import { usualRequest } from "../fakes/aggregator.ts";

test("nothing is begun for who has gone away before his turn came", async () => {
  let begun = 0;
  const handle = createChallengeHandler({
    solving: {
      solve: async () => {
        begun += 1;
        return { success: true };
      },
    },
    limitMs: 1000,
    clock: systemClock,
    observer: () => {},
    metrics: { challenge: () => {}, inFlight: () => {} },
    signal: new AbortController().signal,
  });
  const ask = async (gone: boolean) => {
    const req = new IncomingMessage(new Socket());
    const res = new ServerResponse(req);
    if (gone) req.once("end", () => res.destroy());
    const handled = handle(req, res, "memory");
    req.push(JSON.stringify({ request: usualRequest }));
    req.push(null);
    await handled;
  };
  await ask(false);
  expect(begun).toBe(1);
  await ask(true);
  expect(begun).toBe(1);
});
