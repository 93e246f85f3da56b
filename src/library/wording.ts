import { ConfigError, type ConfigIssue, Dns01Error } from "../core/errors.ts";
import type { Dns01Event } from "../core/events.ts";

/** The engine is written for the command line; these are the options that its flags stand for here. */
const options: Readonly<Record<string, string>> = {
  "--ca": "ca",
  "--ca-root": "caRoot",
  "--domain": "domains",
  "--dns-port": "dnsPort",
  "--dry-run": "dryRun: true",
  "--eab-hmac-key": "eab.hmacKey",
  "--eab-kid": "eab.kid",
  "--email": "email",
  "--expand": "expand: true",
  "--force": "force: true",
  "--key-type": "keyType",
  "--name": "name",
  "--preferred-chain": "preferredChain",
  "--profile": "profile",
  "--propagation": "propagation",
  "--propagation-timeout": "propagationTimeoutMs",
  "--provider": "solvers[].provider",
  "--replace": "replace: true",
  "--resolver": "resolvers",
  "--reuse-key": "reuseKey: true",
  "--state": "stateDir",
};

/** Ways that the library does not have: other sources of a value, and nameservers that are named. */
const missing =
  / \(?or `eab` in dns01\.yaml\)?|( or)? \(?DNS01_[A-Z_]+\)?|(, or| or|;) [^,;.(]*\(?--nameserver\b\)?[^,;.]*/g;

/** A command to type keeps its flags. */
const commandOrFlag = /`[^`]*`|\bdns01 [a-z]+(?: --?[a-z-]+(?: [A-Z]+)?)*|--[a-z][a-z-]*/g;

/** Returns a text of the engine with the library's options in place of flags and variables. */
export function optionWords(text: string): string {
  return text.replace(missing, "").replace(commandOrFlag, (found) => options[found] ?? found);
}

/** Rewords an error of the engine in place, so that it stays the same error for its cause and its class. */
export function rewordError<E>(error: E): E {
  if (!Dns01Error.is(error)) return error;
  const issues = error instanceof ConfigError ? error.issues.map(rewordIssue) : undefined;
  try {
    Object.assign(error, {
      message: optionWords(error.message),
      ...(error.hint === undefined ? {} : { hint: optionWords(error.hint) }),
      ...(issues === undefined ? {} : { issues, details: { ...error.details, issues } }),
    });
  } catch {
    // A plugin's error may be frozen: its own words are not the engine's.
  }
  return error;
}

function rewordIssue({ path, message }: ConfigIssue): ConfigIssue {
  return { path: optionWords(path), message: optionWords(message) };
}

/** The result of work of the engine; it rejects in the library's words. */
export async function inOptionWords<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw rewordError(error);
  }
}

/** Returns an observer that hears warnings in the library's words. */
export function rewordEvents(observer: (event: Dns01Event) => void): (event: Dns01Event) => void {
  return (event) => observer(event.type === "warning" ? { ...event, text: optionWords(event.text) } : event);
}
