import { beforeAll, describe } from "vitest";
import { getHelm, type Helm } from "./helm.ts";
import type { KubernetesObject } from "./objects.ts";
import { podsOf } from "./pods.ts";
import { type Rendered, renderAll, valuesFiles } from "./rendering.ts";

/** The sets of values that the chart is rendered with; they name what `renderings` knows. */
export const cases = ["defaults", ...valuesFiles];

/** A suite with helm. Skipped, with the reason in its name, where helm cannot be had (in CI that fails). */
export async function describeWithHelm(title: string, body: (helm: Helm) => void): Promise<void> {
  const helm = await getHelm();
  if (typeof helm === "string") describe.skip(`${title} (${helm})`, () => {});
  else describe(title, () => body(helm));
}

/** To be called in a suite: the chart with every set of values, rendered before the first test. */
export function renderings(helm: Helm) {
  let all: ReadonlyMap<string, Rendered>;
  beforeAll(async () => {
    all = await renderAll(helm);
  });
  const objects = (name = "defaults"): readonly KubernetesObject[] => all.get(name)?.objects ?? [];
  return {
    all: () => all,
    objects,
    find(kind: string, name: string, values?: string): KubernetesObject {
      const found = objects(values).find((o) => o.kind === kind && o.metadata.name === name);
      if (found === undefined) throw new Error(`no ${kind} ${name} with ${values ?? "defaults"}`);
      return found;
    },
    args: (values?: string) => podsOf(objects(values))[0]?.containers[0]?.args ?? [],
  };
}
