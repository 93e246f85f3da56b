import { openStore } from "../store/index.ts";
import type { CommandInput } from "./command.ts";
import { defaultStateDir } from "./state.ts";

/** Looks into the state folder for accounts; one that cannot be read there is for the command itself to complain about. */
export function registeredIn({ flags, io }: Pick<CommandInput, "flags" | "io">) {
  const dir = flags.text("state") ?? io.env["DNS01_STATE"] ?? defaultStateDir(io.env);
  return async (directoryUrl: string): Promise<boolean> => {
    try {
      const store = await openStore(dir, { purpose: "config" });
      return (await store.accounts.load(directoryUrl))?.url !== undefined;
    } catch {
      return false;
    }
  };
}
