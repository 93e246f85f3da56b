import { join } from "node:path";
import type { Observer } from "../core/events.ts";
import type { BudgetStore } from "../issuer/ports.ts";
import type { Disk } from "./disk.ts";
import { encodeFileName } from "./file-name.ts";

/** `budget/FOLDER/KEY.json`: small files, since one changes with every order. */
export function openBudget(disk: Disk, observer: Observer): BudgetStore {
  const pathOf = (folder: string, key: string) =>
    join(disk.root, "budget", encodeFileName(folder), `${encodeFileName(key)}.json`);
  return {
    async load(folder, key) {
      const path = pathOf(folder, key);
      const text = await disk.read(path);
      if (text === undefined) return undefined;
      try {
        return JSON.parse(text) as unknown;
      } catch {
        const said = "is damaged; what it said of earlier failures is forgotten";
        observer({ type: "warning", code: "W_FAILURES", text: `${path} ${said}` });
        return undefined;
      }
    },
    save: (folder, key, value) => disk.write(pathOf(folder, key), `${JSON.stringify(value)}\n`),
    remove: (folder, key) => disk.remove(pathOf(folder, key)),
  };
}
