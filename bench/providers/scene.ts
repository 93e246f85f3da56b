import type { AdapterFake } from "../../test/providers/trial/subject.ts";
import type { Subject } from "./subjects.ts";
import type { Passed, Tap } from "./tap.ts";

/** One the sandbox's nameservers serve, so that lego's orders can be fulfilled. */
export const zone = "example.test";
export const many: readonly string[] = Array.from({ length: 20 }, (_, i) => `host-${i}.${zone}`);

export const operations = [
  "first present",
  "repeat present",
  "clean-up",
  "apex and wildcard: present",
  "apex and wildcard: clean-up",
  "20 names: present",
  "20 names: clean-up",
] as const;
export type Operation = (typeof operations)[number];

export interface Measured {
  /** Requests, those aside that ask how an asynchronous change is getting on. */
  readonly calls: number;
  readonly polls: number;
  /** From the first request to the last answer. */
  readonly ms: number;
}

/** One fresh fake, and what stands before it. */
export interface Scene {
  readonly subject: Subject;
  readonly fake: AdapterFake;
  readonly tap: Tap;
  measure(work: () => Promise<unknown>): Promise<Measured>;
}

export function sceneOf(subject: Subject, fake: AdapterFake, tap: Tap): Scene {
  return {
    subject,
    fake,
    tap,
    async measure(work) {
      fake.http.clearCalls();
      tap.clear();
      await work();
      return summed(
        fake.http.calls.map(({ poll }) => poll === true),
        tap.passed,
      );
    },
  };
}

export function summed(polls: readonly boolean[], passed: readonly Passed[]): Measured {
  const asked = polls.filter(Boolean).length;
  const begun = Math.min(...passed.map(({ begunAt }) => begunAt));
  const ended = Math.max(...passed.map(({ endedAt }) => endedAt));
  return { calls: polls.length - asked, polls: asked, ms: passed.length === 0 ? 0 : ended - begun };
}
