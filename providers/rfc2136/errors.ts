import {
  AuthError,
  ConfigError,
  type Dns01Error,
  RejectedError,
  RoundTripError,
  TransientError,
  UpdateError,
  ZoneNotFoundError,
} from "../../src/index.ts";

/** How long a server that has never answered is asked again: one that restarts is back by then. */
const firstContactMs = 7_500;

export function configFault(path: string, message: string): ConfigError {
  return new ConfigError([{ path, message }], { provider: "rfc2136" });
}

export function classify(cause: unknown): Dns01Error | undefined {
  if (cause instanceof RoundTripError) {
    const hint =
      "Check that nameserver (RFC2136_NAMESERVER) is the primary, and that this machine can reach it over the chosen transport.";
    const patienceMs = cause.failure === "unroutable" ? 0 : firstContactMs;
    return new TransientError(cause.message, { cause, timeout: cause.failure === "timeout", patienceMs, hint });
  }
  if (cause instanceof Error && "syscall" in cause && cause.syscall === "getaddrinfo") {
    const isKnown = "code" in cause && cause.code === "ENOTFOUND";
    const host = "hostname" in cause ? `"${cause.hostname}"` : "of the nameserver";
    const text = isKnown ? `the name ${host} does not exist` : `the name ${host} cannot be resolved`;
    return new TransientError(text, {
      cause,
      patienceMs: isKnown ? 0 : firstContactMs,
      hint: "Check nameserver (RFC2136_NAMESERVER) and this machine's resolver; an IP address needs none.",
    });
  }
  if (!(cause instanceof UpdateError)) return undefined;
  const { message, rcode, zone, skewSeconds, nothingDone: nothingWritten } = cause;
  const facts = (hint: string) => ({ cause, zone, hint, details: { rcode, skewSeconds }, nothingWritten });
  const wrong = (hint: string) => ({ ...facts(hint), wrongKeys: true });
  switch (cause.failure) {
    case "bad-signature":
      return new AuthError(
        message,
        wrong("Check that tsigSecret (RFC2136_TSIG_SECRET) is that key's secret at the server."),
      );
    case "bad-key":
      return new AuthError(
        message,
        wrong("Check tsigKeyName (RFC2136_TSIG_KEY_NAME) and tsigAlgorithm against the server's key."),
      );
    case "bad-time":
      return new AuthError(
        message,
        wrong("Set the clocks of both machines (NTP): a signature is valid for five minutes."),
      );
    case "bad-truncation":
      return new AuthError(message, wrong("Take a key without truncated MACs at the server."));
    case "forged":
    case "unsigned":
      return new AuthError(
        message,
        facts(
          "Check that nameserver leads straight to the primary and that it signs with this key: the record may be there.",
        ),
      );
    case "not-auth": {
      if (!cause.keyMayBeMeant) return notHeld(cause);
      return new AuthError(
        message,
        facts(
          cause.isSigned
            ? "Check tsigKeyName (RFC2136_TSIG_KEY_NAME), tsigSecret (RFC2136_TSIG_SECRET) and tsigAlgorithm, that the server lets this key update the zone, and that it is the primary."
            : `${giveKey} Check too that the server is the zone's primary.`,
        ),
      );
    }
    case "not-zone":
      return notHeld(cause);
    case "refused":
      return new AuthError(
        message,
        facts(
          cause.isSigned
            ? `Let this key change TXT there: ${grants}. GSS-TSIG (Active Directory's secure-only zones) is not supported.`
            : `${giveKey} A server that trusts addresses instead has to allow this machine's: ${grants}.`,
        ),
      );
    case "server-failure":
      return new TransientError(message, facts("The server's log says why."));
    case "alias":
      return new RejectedError(message, {
        ...facts("Remove the CNAME, or let the value be written at its target."),
        serviceCode: rcode,
      });
    case "not-implemented":
    case "format":
    case "other":
      return new RejectedError(message, { ...facts("The server's log says why."), serviceCode: rcode });
  }
}

const grants =
  "update-policy or allow-update in BIND, acl with action update in Knot, TSIG-ALLOW-DNSUPDATE or allow-dnsupdate-from in PowerDNS";

const giveKey =
  "Give the TSIG key that may change the zone: tsigKeyName (RFC2136_TSIG_KEY_NAME) and tsigSecret (RFC2136_TSIG_SECRET).";

function notHeld({ message, zone, rcode, nothingDone: nothingWritten }: UpdateError): ZoneNotFoundError {
  const hint = "Check that nameserver is the zone's primary, not a secondary or a resolver.";
  return new ZoneNotFoundError(message, [zone], { zone, hint, details: { rcode }, nothingWritten });
}
