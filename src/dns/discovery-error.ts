import { Dns01Error, type ErrorFacts } from "../core/errors.ts";
import type { DomainName } from "../core/name.ts";
import type { RecordType } from "./message.ts";

/** One question that led nowhere: who was asked what, and what came back. */
export interface Failure {
  /** "ns1.example.net (192.0.2.1)", "resolver 127.0.0.53". */
  readonly server: string;
  readonly name: DomainName;
  readonly type: RecordType;
  readonly said: string;
  readonly kind: FailureKind;
}

/**
 * `silent` and `unroutable`: no answer; `broken`: SERVFAIL or no DNS answer; `lame`: the server does not serve the zone;
 * `intercepted`: a resolver answered in place of the authoritative server.
 */
export type FailureKind = "silent" | "unroutable" | "broken" | "lame" | "intercepted";

/**
 * `no-delegation`: DNS says that nobody serves the name, or nobody who could be asked serves it.
 * `alias`: the alias chain of the challenge name leads nowhere. Both stay so until somebody changes DNS.
 * `temporary`: the servers that would know did not say; the same question may succeed later.
 */
export type DiscoveryFault = "no-delegation" | "alias" | "temporary";

/** The nameservers of a name could not be found. `details.asked` has each question that failed. */
export class DiscoveryError extends Dns01Error {
  readonly fault: DiscoveryFault;
  readonly asked: readonly Failure[];
  /** The chain that led to the name it is about, the challenge name first; empty without an alias. */
  readonly aliases: readonly DomainName[];

  constructor(
    fault: DiscoveryFault,
    message: string,
    asked: readonly Failure[],
    { aliases = [], ...facts }: ErrorFacts & { readonly aliases?: readonly DomainName[] | undefined } = {},
  ) {
    const temporary = fault === "temporary";
    super(temporary ? "TRANSIENT" : "ZONE_NOT_FOUND", message, temporary, {
      operation: "discovery",
      ...facts,
      details: { ...facts.details, ...(aliases.length === 0 ? {} : { aliases }), fault, asked },
    });
    this.fault = fault;
    this.asked = asked;
    this.aliases = aliases;
  }
}

/** No server of a list gave a usable answer; DiscoveryError is made of it where the wider picture is known. */
export class AskError extends Error {
  readonly failures: readonly Failure[];
  /** Whose servers were asked; the root's for "."; undefined for resolvers. */
  readonly zone: DomainName | undefined;

  constructor(question: string, failures: readonly Failure[], zone: DomainName | undefined) {
    super(`${question}: ${describeFailures(failures)}`);
    this.name = "AskError";
    this.failures = failures;
    this.zone = zone;
  }

  /** Nothing at all came back, from anybody. */
  get unreachable(): boolean {
    return this.failures.every((f) => f.kind === "silent" || f.kind === "unroutable");
  }

  get intercepted(): boolean {
    return this.failures.some((f) => f.kind === "intercepted");
  }

  /** Not one authoritative server was heard. */
  get interceptedAll(): boolean {
    return this.intercepted && this.failures.every((f) => f.kind !== "broken" && f.kind !== "lame");
  }
}

/** "ns1.example.net (192.0.2.1): REFUSED; …", at most six. */
export function describeFailures(failures: readonly Failure[]): string {
  if (failures.length === 0) return "nobody could be asked";
  // A server that was asked again and said the same is named once.
  const lines = [...new Set(failures.map((f) => `${f.server}: ${f.said}`))];
  const shown = lines.slice(0, 6);
  const rest = lines.length - shown.length;
  return rest > 0 ? `${shown.join("; ")}; and ${rest} more` : shown.join("; ");
}
