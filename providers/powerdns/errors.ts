import { AuthError, ConflictError, type Dns01Error, HttpError, RejectedError, z } from "../../src/index.ts";

const unknownChange = "changetype";

/** Whether the server cannot add or take away single values; it changed nothing then. */
export function isUnknownChange(error: unknown): boolean {
  const known = classify(error) ?? error;
  return known instanceof RejectedError && known.serviceCode === unknownChange;
}

export function classify(cause: unknown): Dns01Error | undefined {
  if (!(cause instanceof HttpError)) return undefined;
  const { status, message } = cause;
  const said = z.object({ error: z.string() }).safeParse(cause.body).data?.error ?? "";
  const facts = (hint: string) => ({ cause, serviceCode: String(status), hint });
  if (status === 401 || status === 403) {
    return new AuthError(message, {
      wrongKeys: true,
      ...facts("Check that apiKey (PDNS_API_KEY) is the api-key of the server."),
    });
  }
  if (status === 404) {
    return new RejectedError(message, facts("Check endpoint (PDNS_API_URL) and serverName; the server needs api=yes."));
  }
  if (/^changetype/i.test(said)) return new RejectedError(message, { cause, serviceCode: unknownChange });
  // Somebody made the set with another TTL since it was read.
  if (/different TTL/i.test(said)) return new ConflictError(message, { cause });
  if (/: conflicts with/i.test(said)) {
    return new RejectedError(message, facts("Remove the CNAME there, or let the value be written at its target."));
  }
  return undefined;
}
