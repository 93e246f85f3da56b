import { readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseAllDocuments } from "yaml";
import { chart, type Helm } from "./helm.ts";
import { type KubernetesObject, parseObject } from "./objects.ts";

export const valuesFolder = fileURLToPath(new URL("values", import.meta.url));

/** One file for each way of use; together they switch every value. */
export const valuesFiles: readonly string[] = readdirSync(valuesFolder).sort();

export interface Rendered {
  readonly text: string;
  readonly objects: readonly KubernetesObject[];
}

/** What `helm template` makes of the chart, release "dns01" in namespace "dns". */
export async function render(helm: Helm, ...args: readonly string[]): Promise<Rendered> {
  const text = await helm.run("template", "dns01", chart, "--namespace", "dns", ...args);
  const documents = parseAllDocuments(text);
  if (!Array.isArray(documents)) return { text, objects: [] };
  const objects = documents.flatMap((document) => {
    if (document.errors.length > 0) throw document.errors[0];
    const value: unknown = document.toJS();
    return value === null ? [] : [parseObject(value)];
  });
  return { text, objects };
}

/** The default and each file of values, by its name. */
export async function renderAll(helm: Helm): Promise<ReadonlyMap<string, Rendered>> {
  const files = valuesFiles.map(
    async (file) => [file, await render(helm, "--values", join(valuesFolder, file))] as const,
  );
  return new Map([["defaults", await render(helm)], ...(await Promise.all(files))]);
}
