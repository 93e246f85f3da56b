import type { Observer } from "../core/events.ts";
import { createLog, type LogLevel } from "../telemetry/log.ts";
import type { CommandInput } from "./command.ts";

/** Nobody sees the difference, and under load it is one write for dozens of lines. */
const HELD_MS = 10;

/**
 * The log of a server: lines that come within a few milliseconds are written at once. Under load a write for each would
 * cost more than what it tells about.
 */
export function openBatchedLog({ flags, io, redactor }: Pick<CommandInput, "flags" | "io" | "redactor">): Observer {
  let pending = "";
  const flush = () => {
    if (pending === "") return;
    const text = pending;
    pending = "";
    io.stderr.write(redactor.redact(text));
  };
  // Also when something is thrown that nobody catches.
  process.on("exit", flush);
  return createLog({
    level: flags.on("quiet") ? "error" : ((flags.text("log-level") as LogLevel | undefined) ?? "info"),
    format: flags.text("log-format") === "json" ? "json" : "text",
    now: () => new Date(),
    write(text) {
      if (pending === "") setTimeout(flush, HELD_MS);
      pending += text;
    },
  });
}
