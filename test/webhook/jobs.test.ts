import { expect, test } from "vitest";
import { systemClock } from "../../src/core/clock.ts";
import { TransientError } from "../../src/core/errors.ts";
import { createJobs, type JobRequest } from "../../src/webhook/solve/jobs.ts";
import { createVirtualClock } from "../fakes/virtual-clock.ts";

function requestOf(signal: AbortSignal): JobRequest {
  const late = () => new TransientError("late");
  return { key: "k", subject: "s", signal, late, onJoin: () => {}, onBackground: () => {}, correlationId: "c" };
}

test.each([1, 2, 3, 4, 5, 6])(
  "who calls again %i turns after an abort is not told that the caller went away",
  async (turns) => {
    const jobs = createJobs({ clock: systemClock, callTimeoutMs: 5_000, jobTimeoutMs: 5_000 });
    const first = new AbortController();
    const gone = jobs.run(requestOf(first.signal), () => new Promise(() => {}));
    const told = expect(gone).rejects.toThrow("gone");
    first.abort(new Error("gone"));
    for (let turn = 0; turn < turns; turn++) await null;
    let isDone = false;
    await jobs.run(requestOf(new AbortController().signal), async () => {
      isDone = true;
    });
    expect(isDone).toBe(true);
    await told;
  },
);

test("a result that came after the answer is picked up by the same call, not by another one for the same value", async () => {
  const clock = createVirtualClock();
  const jobs = createJobs({ clock, callTimeoutMs: 1_000, jobTimeoutMs: 60_000 });
  const { signal } = new AbortController();
  const done: string[] = [];
  const call = (key: string, takesMs: number) =>
    jobs.run({ ...requestOf(signal), key }, async () => {
      await clock.sleep(takesMs);
      done.push(key);
    });
  const late = async () => {
    await expect(clock.run(call("present", 2_000))).rejects.toThrow("late");
    await clock.advance(5_000);
  };
  await late();
  await clock.run(call("present", 0));
  expect(done).toEqual(["present"]);
  await late();
  await clock.run(call("clean up", 0));
  expect(done).toEqual(["present", "present", "clean up"]);
});
