import type { Dns01Error } from "../core/errors.ts";
import { timeText } from "../core/time-text.ts";
import type { Warning } from "../dns/types.ts";
import { uniqueWarnings } from "../issuer/kept-warnings.ts";
import type { RenewOutcome } from "../issuer/renew.ts";
import { exitStatusOf } from "./exit.ts";
import { errorDocument } from "./output.ts";
import type { RenewWarnings } from "./renew-warnings.ts";
import { align } from "./table.ts";

/** Some of several certificates failed. */
const someFailed = 6;

/**
 * The document of `dns01 renew --json`: every certificate with what became of it. Where there was only one, its failure
 * stands at the top as for every other command.
 */
export function renewDocument(outcomes: readonly RenewOutcome[], warned: RenewWarnings): object {
  const certificates = outcomes.map(({ name, status, reason, renewAfter, meta, result, error }) => {
    const facts = result?.serial === undefined ? meta : result;
    return {
      name,
      status,
      ...(renewAfter === undefined ? {} : { renewAfter: renewAfter.toISOString() }),
      reason,
      ...(facts === undefined
        ? {}
        : { domains: facts.domains, ca: facts.ca, serial: facts.serial, notAfter: facts.notAfter }),
      ...(result?.files === undefined || result.reused ? {} : { files: result.files }),
      ...(result === undefined || result.reused
        ? {}
        : { challenges: result.challenges, timings: result.timings, acme: result.acme }),
      ...warningsOf(result, warned.of(name)),
      ...(error === undefined ? {} : errorDocument(error)),
    };
  });
  const [only] = outcomes;
  const alone = outcomes.length === 1 && only?.error !== undefined ? errorDocument(only.error) : {};
  return { certificates, warnings: warned.others(), ...alone };
}

function warningsOf(result: RenewOutcome["result"], heard: readonly Warning[]): { readonly warnings?: object } {
  const warnings = uniqueWarnings([...heard, ...(result?.warnings ?? [])]);
  const isTold = warnings.length > 0 || (result !== undefined && !result.reused);
  return isTold ? { warnings } : {};
}

/** One line each, what is left to do at the end of it; with `quiet` only what was done, or failed. */
export function renewText(
  all: readonly RenewOutcome[],
  { quiet, none }: { readonly quiet: boolean; readonly none: string },
): string {
  const outcomes = quiet ? all.filter(({ result, error }) => error !== undefined || result?.reused === false) : all;
  if (outcomes.length === 0) return quiet ? "" : `${none}\n`;
  const rows = outcomes.map(({ name, status, renewAfter, reason, result, error }) => {
    const at = renewAfter === undefined ? "" : timeText(renewAfter);
    const detail =
      error === undefined ? (result?.serial === undefined ? reason : `serial ${result.serial}`) : codeOf(error);
    return [name, status, at, detail];
  });
  return `${align([["name", "status", "renews", "why"], ...rows]).join("\n")}\n`;
}

/** Says where certificates were looked for, when there are none. `file` is the configuration file. */
export function noCertificates(file: string | undefined, dir: string): string {
  const declared = file === undefined ? "no dns01.yaml was found" : `${file} declares none`;
  return `no certificates: ${declared}, and ${dir} holds none. Declare one in dns01.yaml, or run dns01 issue.`;
}

/** A single certificate's own status; 6 when some of several failed, 7 when only what was to follow did. */
export function renewStatus(outcomes: readonly RenewOutcome[]): number {
  const failed = outcomes.flatMap(({ error }) => (error === undefined ? [] : [error]));
  const [first] = failed;
  if (first === undefined) return 0;
  if (outcomes.length === 1 || failed.every((e) => e.code === "HOOK")) return exitStatusOf(first);
  return someFailed;
}

function codeOf(error: Dns01Error): string {
  return `${error.code}: ${error.message.split("\n")[0] ?? ""}`;
}
