import { expect, test } from "vitest";
import { createRandom } from "../../src/testing/random.ts";
import { cli, issueArgs, labEnv } from "./lab/cli.ts";
import { lastArrival, markUpdates } from "./lab/counts.ts";
import { expectCleanDns, issued } from "./lab/outcome.ts";
import { type Delay, summary } from "./lab/overshoot.ts";
import { noDnsFaults } from "./lab/relay.ts";
import { describeInLab, repeats } from "./lab/suite.ts";

const seed = Number(process.env["DNS01_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
const random = createRandom(seed);
const between = (low: number, high: number) => low + random() * (high - low);

/** Each lane has its zone, so that several runs can be under way at once. */
const lanes = Array.from({ length: repeats(3, 8) }, (_, i) => i);
const runs = repeats(9, 200);
const longestLagMs = repeats(3000, 15_000);

describeInLab(
  `random lag and faults on real servers (DNS01_SEED=${seed})`,
  (inLab) => {
    test(`in ${runs} runs no challenge is answered before every server has the value`, {
      timeout: 3_600_000,
      retry: 0,
    }, async () => {
      const lab = inLab();
      const { relays } = lab;
      if (relays === undefined) throw new Error("this lab has no relays");
      // One CA for each server that can be the slowest: it asks that one, behind the faults.
      const cas = {
        nsd: await lab.startCa({ dns: lab.realAt("nsd"), nonceReject: 20 }),
        bind: await lab.startCa({ dns: lab.realAt("bind"), nonceReject: 20 }),
      };
      const witnesses = { nsd: await lab.witness(cas.nsd), bind: await lab.witness(cas.bind) };
      let left = runs;
      const delays: Delay[] = [];
      const lane = async (number: number) => {
        const zone = `zone${number}.test`;
        while (left-- > 0) {
          const lag = { nsd: Math.round(between(0, longestLagMs)), bind: Math.round(between(0, longestLagMs)) };
          const slowest = lag.nsd > lag.bind ? "nsd" : "bind";
          lab.lag.zones.set(zone, lag);
          for (const relay of Object.values(relays)) {
            // Never so much at once that a server counts as out of order: then it would rightly be excused.
            relay.faults = {
              ...noDnsFaults,
              drop: between(0, 0.4),
              truncate: between(0, 0.3),
              servfail: between(0, 0.2),
            };
          }
          const witness = witnesses[slowest];
          witness.faults = { unavailable: between(0, 0.1), lost: between(0, 0.05) };
          const mark = await markUpdates(lab, zone);
          const answersSoFar = witness.answered.length;
          const document = issued(await cli(issueArgs([zone, `*.${zone}`]), labEnv(lab, { ca: witness.directory })));
          const answers = witness.answered.slice(answersSoFar).filter((challenge) => challenge.identifier === zone);
          await markUpdates(lab, zone);
          const update = lab.updates.slice(mark).find((candidate) => candidate.zone === zone);
          expect(document.challenges).toHaveLength(2);
          const early = answers.filter((challenge) => challenge.missingAt.length > 0);
          expect(early, `lag ${JSON.stringify(lag)}, seed ${seed}`).toEqual([]);
          expect(answers.length).toBeGreaterThanOrEqual(2);
          if (update === undefined) throw new Error("the log does not show the update");
          // The first try for each value: how often the CA then had to be asked again is no matter of propagation.
          const first = new Map(answers.toReversed().map((challenge) => [challenge.value, challenge.at]));
          expect(first.size).toBe(2);
          const answeredAt = Math.max(...first.values());
          const there = await lastArrival(lab, zone, update.serial);
          delays.push({ delayMs: there - update.at, overshootMs: answeredAt - there });
          await expectCleanDns(lab, [`_acme-challenge.${zone}`]);
        }
      };
      await Promise.all(lanes.map(lane));
      console.log(`${runs} runs, 0 early: ${summary(delays)}`);
    });
  },
  { relays: true, random },
);
