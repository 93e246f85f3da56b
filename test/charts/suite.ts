import { describe } from "vitest";
import { getHelm, type Helm } from "./helm.ts";

/** A suite with helm. Skipped, with the reason in its name, where helm cannot be had (in CI that fails). */
export async function describeWithHelm(title: string, body: (helm: Helm) => void): Promise<void> {
  const helm = await getHelm();
  if (typeof helm === "string") describe.skip(`${title} (${helm})`, () => {});
  else describe(title, () => body(helm));
}
