import { ConfigError } from "../core/errors.ts";

interface Eab {
  readonly kid: string;
  readonly hmacKey: string;
}

/** What is wrong with an external account binding by itself. The key is never in the message. */
export function eabFaults({ kid, hmacKey }: Eab): readonly { readonly key: keyof Eab; readonly message: string }[] {
  const faults: { key: keyof Eab; message: string }[] = [];
  if (kid.trim() === "") faults.push({ key: "kid", message: "is empty" });
  const digits = hmacKey.replace(/=+$/, "");
  if (digits === "") faults.push({ key: "hmacKey", message: "is empty" });
  // RFC 8555 §7.3.4 says base64url; CAs also hand out plain base64.
  else if (!/^(?:[A-Za-z0-9_-]+|[A-Za-z0-9+/]+)$/.test(digits) || digits.length % 4 === 1)
    faults.push({ key: "hmacKey", message: "is neither base64url nor base64: copy it whole from the CA's page" });
  return faults;
}

/** Throws ConfigError at the places that the two came from. */
export function checkEab(eab: Eab, places = { kid: "--eab-kid", hmacKey: "--eab-hmac-key" }): void {
  const issues = eabFaults(eab).map(({ key, message }) => ({ path: places[key], message }));
  if (issues.length > 0) throw new ConfigError(issues);
}
