import { ConfigError, Dns01Error } from "../core/errors.ts";
import { printable } from "../core/printable.ts";
import type { Redactor } from "../core/redact.ts";
import type { ServerVerdict, Verdict } from "../dns/types.ts";
import { docsAnchor } from "./docs-anchor.ts";
import { abridge, verdictTable } from "./table.ts";

/** The document of a failure with `--json` (docs/errors.md). */
export function errorDocument(error: Dns01Error): { readonly error: Readonly<Record<string, unknown>> } {
  return {
    error: {
      code: error.code,
      message: error.message,
      hint: error.hint ?? defaultHint(error),
      retryable: error.retryable,
      ...(error.provider === undefined ? {} : { provider: error.provider }),
      ...(error.zone === undefined ? {} : { zone: error.zone }),
      ...(error.fqdn === undefined ? {} : { fqdn: error.fqdn }),
      ...(error.details === undefined ? {} : { details: error.details }),
    },
  };
}

/** A failure as one line of a JSON log; where it broke is a member of it, as a line of its own would be no JSON. */
export function errorLine(error: Dns01Error, now: Date, withStack = false, certificate?: string): string {
  const { error: facts } = errorDocument(error);
  const stack = withStack ? { stack: stackOf(error) } : {};
  return `${JSON.stringify({ time: now.toISOString(), level: "error", certificate, ...facts, ...stack })}\n`;
}

/** A failure for people. `home` is the folder of the running copy, beside which the documents lie. */
export function errorText(error: Dns01Error, home: URL, withStack = false): string {
  const more = docsAnchor(error.code, home);
  const hint = error.hint ?? defaultHint(error);
  const servers = serversOf(error);
  const text = [
    `error ${error.code}: ${error.message}`,
    ...(servers.length === 0 ? [] : ["", ...abridge(verdictTable(servers), 16, "; --json lists all"), ""]),
    `  what to do: ${hint}`,
    ...(more === undefined ? [] : [`  more: ${more}`]),
    ...(withStack ? [stackOf(error)] : []),
    "",
  ].join("\n");
  return printable(text);
}

/** Wraps what was not raised on purpose; the stack is kept as cause for `--log-level debug`. */
export function asDns01Error(error: unknown): Dns01Error {
  if (Dns01Error.is(error)) return error;
  // Node finds out wherever a relative path is first looked at.
  if (error instanceof Error && (error as NodeJS.ErrnoException).syscall === "uv_cwd") {
    const gone = { path: "", message: "the working directory is not there any more, or may not be looked at" };
    return new ConfigError([gone], {
      hint: "Change to a folder that exists, and run the command again.",
      cause: error,
    });
  }
  const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return new Dns01Error("UNKNOWN", message, false, {
    cause: error,
    hint: "This is a defect of dns01: please report it with the output of --log-level debug.",
  });
}

function defaultHint(error: Dns01Error): string {
  switch (error.code) {
    case "CONFIG":
      return "Correct what is listed; nothing was called.";
    case "AUTH":
      return "Check the credentials and their permissions: dns01 providers ID lists what is needed.";
    case "ZONE_NOT_FOUND":
      return "Check that this account holds the zone, and that the name is spelt right.";
    case "REJECTED":
      return "The service refuses this request; correct what it names.";
    case "ACME":
      return "The CA refuses; its problem document is in the details.";
    case "HOOK":
      return "The certificate is stored; mend the command and run it again.";
    default:
      return error.retryable ? "Run the same command again later." : "See the message.";
  }
}

function stackOf(error: Error): string {
  const cause = error.cause instanceof Error ? `\ncaused by ${stackOf(error.cause)}` : "";
  return `${error.stack ?? error.message}${cause}`;
}

/** Writes with every known secret masked. */
export function printer(sink: { write(text: string): unknown }, redactor: Redactor): (text: string) => void {
  return (text) => {
    sink.write(redactor.redact(text));
  };
}

/** What each nameserver last said, where that is what failed (R26): first those that the wait was for. */
function serversOf({ details }: Dns01Error): readonly ServerVerdict[] {
  const verdict = details?.["verdict"] as Verdict | undefined;
  const servers = verdict?.servers ?? [];
  return [...servers.filter((s) => s.class !== "match"), ...servers.filter((s) => s.class === "match")];
}
