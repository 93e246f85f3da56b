import { counted } from "../core/counted.ts";
import type { DomainName } from "../core/name.ts";
import type { Rcode } from "./message.ts";
import type { Primary, SignedReply } from "./signed.ts";
import { placeOf } from "./sockets.ts";
import { tsigError } from "./tsig.ts";

export type UpdateFailure =
  /** The owner is an alias: a TXT there would be ignored (RFC 2136 §3.4.2.2). */
  | "alias"
  | "bad-key"
  | "bad-signature"
  | "bad-time"
  | "bad-truncation"
  /** Signed with another secret than ours. */
  | "forged"
  /** Not signed although the request was. */
  | "unsigned"
  /** Not the primary of the zone; without a signature it may also be the key (Knot says it so). */
  | "not-auth"
  | "not-zone"
  | "refused"
  | "not-implemented"
  | "format"
  | "server-failure"
  | "other";

/** A server that did not carry out an update, told apart by why. */
export class UpdateError extends Error {
  readonly failure: UpdateFailure;
  readonly rcode: Rcode;
  readonly zone: DomainName;
  /** How many seconds the server's clock is ahead of ours. */
  readonly skewSeconds: number | undefined;
  /** The reply was not signed: with "not-auth" the key, or the lack of one, may be meant. */
  readonly keyMayBeMeant: boolean;
  /** Certain that nothing of the request was carried out. */
  readonly nothingDone: boolean;
  /** The request was signed with a TSIG key. */
  readonly isSigned: boolean;

  constructor(
    failure: UpdateFailure,
    message: string,
    facts: {
      readonly rcode: Rcode;
      readonly zone: DomainName;
      readonly skewSeconds?: number | undefined;
      readonly keyMayBeMeant?: boolean;
      readonly nothingDone?: boolean;
      readonly isSigned?: boolean;
    },
  ) {
    super(message);
    this.name = "UpdateError";
    this.failure = failure;
    this.rcode = facts.rcode;
    this.zone = facts.zone;
    this.skewSeconds = facts.skewSeconds;
    this.keyMayBeMeant = facts.keyMayBeMeant ?? false;
    this.nothingDone = facts.nothingDone ?? false;
    this.isSigned = facts.isSigned ?? true;
  }

  /** The same of a request of which something may have been carried out before. */
  afterOthers(): UpdateError {
    return new UpdateError(this.failure, this.message, { ...this, nothingDone: false });
  }
}

/** A server that says one of these has not carried the update out, nor any part of it (RFC 2136 §3). */
const refusals: ReadonlySet<UpdateFailure> = new Set<UpdateFailure>([
  "alias",
  "bad-key",
  "bad-signature",
  "bad-time",
  "bad-truncation",
  "not-auth",
  "not-zone",
  "refused",
  "not-implemented",
  "format",
]);

/** The error a reply stands for; `undefined` when it is a success that can be trusted. */
export function failureOf(reply: SignedReply, primary: Primary, zone: DomainName): UpdateError | undefined {
  const { rcode } = reply.message;
  const at = placeOf(primary.transport === "udp" ? "UDP" : "TCP", primary.server);
  const key = primary.tsig === undefined ? "" : `"${primary.tsig.name}" (${primary.tsig.algorithm})`;
  const signer = primary.tsig === undefined ? "updates without a TSIG key" : `the TSIG key ${key}`;
  const keyMayBeMeant = reply.signature !== "verified";
  // Over UDP anybody may have sent what is not signed.
  const isTheirs = reply.signature === "verified" || primary.transport === "tcp";
  const fail = (failure: UpdateFailure, text: string, skewSeconds?: number) => {
    const nothingDone = isTheirs && refusals.has(failure);
    const isSigned = primary.tsig !== undefined;
    return new UpdateError(failure, `${at} ${text}`, {
      rcode,
      zone,
      skewSeconds,
      keyMayBeMeant,
      nothingDone,
      isSigned,
    });
  };
  switch (reply.tsigError) {
    case tsigError.badSig:
      return fail("bad-signature", `has another secret for the TSIG key ${key} than the one given (BADSIG)`);
    case tsigError.badKey:
      return fail("bad-key", `does not know the TSIG key ${key} (BADKEY): name and algorithm must be as it has them`);
    case tsigError.badTime:
      return fail(
        "bad-time",
        `refuses the time of the signature (BADTIME)${skewText(reply.skewSeconds)}`,
        reply.skewSeconds,
      );
    case tsigError.badTrunc:
      return fail("bad-truncation", `wants a longer MAC than the key ${key} gave (BADTRUNC)`);
  }
  if (reply.signature === "forged") {
    return fail("forged", `answered ${rcode} with a signature that the key ${key} did not make`);
  }
  switch (rcode) {
    case "NOERROR":
      if (reply.signature !== "missing") return undefined;
      return fail(
        "unsigned",
        `answered without a signature, though the update was signed with ${key}: it may be anybody's`,
      );
    case "NOTAUTH":
      if (!keyMayBeMeant) return fail("not-auth", `is not the primary server of the zone ${zone} (NOTAUTH)`);
      return fail("not-auth", `refuses ${signer} for the zone ${zone}, or is not its primary server (NOTAUTH)`);
    case "NOTZONE":
      return fail("not-zone", `says that a name is outside of the zone ${zone} (NOTZONE)`);
    case "REFUSED":
      return fail("refused", `refuses the update of the zone ${zone} (REFUSED)`);
    case "NOTIMP":
      return fail("not-implemented", "does not take dynamic updates (NOTIMP)");
    case "FORMERR":
      return fail("format", `cannot read the update of the zone ${zone} (FORMERR)`);
    case "SERVFAIL":
      return fail("server-failure", `failed to carry out the update of the zone ${zone} (SERVFAIL)`);
    case "YXRRSET":
      return fail("alias", `found a CNAME where a TXT is to be added in the zone ${zone} (YXRRSET)`);
    default:
      return fail("other", `answered the update of the zone ${zone} with ${rcode}`);
  }
}

function skewText(skewSeconds: number | undefined): string {
  if (skewSeconds === undefined) return "";
  if (skewSeconds === 0) return "";
  return `: this machine's clock is about ${roughly(Math.abs(skewSeconds))} ${skewSeconds > 0 ? "behind" : "ahead of"} the server's`;
}

/** So coarse that a clock that is off says the same at every try. */
function roughly(seconds: number): string {
  const [unit, size] = seconds < 5400 ? ["minute", 60] : seconds < 129_600 ? ["hour", 3600] : ["day", 86_400];
  const count = Math.max(1, Math.round(seconds / Number(size)));
  return counted(count, String(unit));
}
