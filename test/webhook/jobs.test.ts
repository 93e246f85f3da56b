import { expect, test } from "vitest";
import { systemClock } from "../../src/core/clock.ts";
import { TransientError } from "../../src/core/errors.ts";
import { createJobs, type JobRequest } from "../../src/webhook/solve/jobs.ts";

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
