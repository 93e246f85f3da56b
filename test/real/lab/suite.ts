import { afterAll, afterEach, beforeAll, describe } from "vitest";
import { type Lab, type LabOptions, startLab } from "./lab.ts";
import { labServices, type Service, whyNot } from "./services.ts";

/**
 * A suite with one lab for all its tests. Skipped, with the reason in its name, where a program is missing (in CI that
 * fails). When a test fails, the last lines of every server are printed.
 */
export function describeInLab(
  title: string,
  body: (lab: () => Lab) => void,
  options: LabOptions & { readonly needs?: readonly Service[] } = {},
): void {
  const reason = whyNot([...labServices, ...(options.needs ?? [])]);
  describe.skipIf(reason !== undefined)(reason === undefined ? title : `${title} (${reason})`, () => {
    let lab: Lab | undefined;
    beforeAll(async () => {
      lab = await startLab(options);
    });
    afterEach(({ task }) => {
      if (task.result?.state === "fail") console.error(lab?.transcript());
    });
    afterAll(() => lab?.stop());
    body(() => {
      if (lab === undefined) throw new Error("the lab is not running");
      return lab;
    });
  });
}

/** How often something is repeated: `sample` in every run of the tests, `full` with DNS01_SOAK=1. */
export function repeats(sample: number, full: number): number {
  return process.env["DNS01_SOAK"] === "1" ? full : sample;
}
