import { once } from "node:events";
import { createInterface } from "node:readline";
import { printable } from "../core/printable.ts";
import type { Change } from "../issuer/replacing.ts";
import type { CommandInput } from "./command.ts";

/** Asks on the terminal what to do with a stored certificate that would change; undefined where nobody can answer. */
export function askerOf({ flags, io }: CommandInput) {
  const canAnswer = process.stdin.isTTY === true && io.stderr.isTTY === true;
  if (!canAnswer || flags.on("json") || flags.on("quiet")) return undefined;
  return async (change: Change): Promise<"expand" | "replace" | undefined> => {
    io.stderr.write(printable(questionOf(change)));
    // Not a terminal of its own: Ctrl-C stays a signal, which ends the command as everywhere.
    const lines = createInterface({ input: process.stdin, terminal: false });
    try {
      for (;;) {
        io.stderr.write("Expand, replace or cancel? [e/r/C] ");
        const [line]: unknown[] = await Promise.race([
          once(lines, "line", { signal: io.signal }),
          once(lines, "close", { signal: io.signal }),
        ]);
        const answer = typeof line === "string" ? line.trim().toLowerCase() : "";
        if (["e", "expand"].includes(answer)) return "expand";
        if (["r", "replace"].includes(answer)) return "replace";
        if (["", "c", "cancel"].includes(answer)) return undefined;
      }
    } catch (error) {
      io.signal.throwIfAborted();
      throw error;
    } finally {
      lines.close();
    }
  };
}

function questionOf({ name, stored, wanted }: Change): string {
  const of = ({ names, key }: Change["stored"]) => `${names.join(", ")} (key: ${key})`;
  return [
    `The certificate ${name} is stored already.`,
    `  stored:     ${of(stored)}`,
    `  this order: ${of(wanted)}`,
    "Expand keeps what is stored and adds the new names. Replace orders exactly what you asked for.",
    "",
  ].join("\n");
}
