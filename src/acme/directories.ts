import { ConfigError } from "../core/errors.ts";
import { nearest } from "../core/nearest.ts";

export interface Ca {
  /** Undefined for an address that is not in the table. */
  readonly id?: string;
  readonly directoryUrl: string;
  /** Directory of the CA's test environment. */
  readonly staging?: string;
  /** Whether registration needs --eab-kid and --eab-hmac-key. The live directory has the last word. */
  readonly needsEab: boolean;
  /** Where the credentials for that come from; one sentence. */
  readonly eabHelp?: string;
  /** Takes an account without a contact, and then refuses its certificates at the end. */
  readonly needsEmail?: boolean;
  /** Whether wildcard names cost nothing there. */
  readonly freeWildcard: boolean;
  /** For CAs with a directory of its own for RSA keys. */
  readonly rsaDirectoryUrl?: string;
}

const letsencryptStaging = "https://acme-staging-v02.api.letsencrypt.org/directory";
const googleStaging = "https://dv.acme-v02.test-api.pki.goog/directory";
const googleEab =
  "Create them with `gcloud publicca external-account-keys create`: each is good for one registration, within 7 days.";
const anyEab = "Create the credentials at the CA's web site; most are good for one registration.";

/** Posh-ACME's comparison of CAs, April 2026. Buypass ended its free service in October 2025. */
export const cas: Readonly<Record<string, Ca>> = {
  letsencrypt: {
    id: "letsencrypt",
    directoryUrl: "https://acme-v02.api.letsencrypt.org/directory",
    staging: letsencryptStaging,
    needsEab: false,
    freeWildcard: true,
  },
  "letsencrypt-staging": {
    id: "letsencrypt-staging",
    directoryUrl: letsencryptStaging,
    needsEab: false,
    freeWildcard: true,
  },
  google: {
    id: "google",
    directoryUrl: "https://dv.acme-v02.api.pki.goog/directory",
    staging: googleStaging,
    needsEab: true,
    eabHelp: googleEab,
    freeWildcard: true,
  },
  "google-staging": {
    id: "google-staging",
    directoryUrl: googleStaging,
    needsEab: true,
    eabHelp: `${googleEab} Keys for the staging environment are made with --endpoint of the test API.`,
    freeWildcard: true,
  },
  zerossl: {
    id: "zerossl",
    directoryUrl: "https://acme.zerossl.com/v2/DV90",
    needsEab: true,
    eabHelp:
      "Generate them at https://app.zerossl.com/developer (EAB Credentials for ACME Clients), or get them for an API key from https://api.zerossl.com/acme/eab-credentials.",
    freeWildcard: true,
  },
  sslcom: {
    id: "sslcom",
    directoryUrl: "https://acme.ssl.com/sslcom-dv-ecc",
    rsaDirectoryUrl: "https://acme.ssl.com/sslcom-dv-rsa",
    needsEab: true,
    needsEmail: true,
    eabHelp: "They are the account/ACME key and HMAC key under API credentials of your SSL.com account.",
    freeWildcard: false,
  },
  actalis: {
    id: "actalis",
    directoryUrl: "https://acme-api.actalis.com/acme/directory",
    needsEab: true,
    eabHelp: "They are shown under ACME in the customer area of your Actalis account.",
    freeWildcard: false,
  },
  litessl: {
    id: "litessl",
    directoryUrl: "https://acme.litessl.com/acme/v2/directory",
    needsEab: true,
    eabHelp: "Generate them at https://freessl.cn, under ACME.",
    freeWildcard: true,
  },
};

/** Where the external account binding for a directory comes from; one sentence. */
export function eabHelp(directoryUrl: string): string {
  const known = Object.values(cas).find(
    (ca) => ca.directoryUrl === directoryUrl || ca.rsaDirectoryUrl === directoryUrl,
  );
  return known?.eabHelp ?? anyEab;
}

/** The CA of an id or a directory's address. Throws ConfigError at `path`, naming the nearest id. */
export function findCa(text: string, path = "--ca"): Ca {
  const known = cas[text.toLowerCase()];
  if (known !== undefined && Object.hasOwn(cas, text.toLowerCase())) return known;
  const fault = (message: string) => new ConfigError([{ path, message }]);
  if (!/^https?:/i.test(text)) {
    const near = nearest(text, Object.keys(cas));
    const ids = `known are ${Object.keys(cas).join(", ")}, or the https address of a directory`;
    throw fault(`"${text}" is no CA${near === undefined ? "" : `; did you mean "${near}"?`} (${ids})`);
  }
  if (!URL.canParse(text)) throw fault(`"${text}" is no address`);
  const url = new URL(text);
  if (url.username !== "" || url.password !== "") throw fault("must not hold a user name or password");
  if (url.protocol === "http:" && !isLoopback(url.hostname)) {
    throw fault(`"${text}" is not https; plain http is accepted for addresses of this machine only`);
  }
  url.hash = "";
  const same = Object.values(cas).find((ca) => ca.directoryUrl === url.href);
  const rsa = Object.values(cas).find((ca) => ca.rsaDirectoryUrl === url.href);
  if (rsa !== undefined) return { ...rsa, directoryUrl: url.href };
  return same ?? { directoryUrl: url.href, needsEab: false, freeWildcard: true };
}

/** Plain HTTP is accepted to these hosts only. `hostname` as in URL. */
export function isLoopback(hostname: string): boolean {
  return hostname === "localhost" || hostname === "[::1]" || /^127(\.\d{1,3}){3}$/.test(hostname);
}
