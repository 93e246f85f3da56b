import { z } from "zod";
import { cas } from "../acme/directories.ts";
import { isSecretReference, namedKeys, secretJson } from "./secret-reference.ts";

const text = (description: string) => z.string().min(1).describe(description);
/** Editors know the ids; what is an address, findCa says. */
const ca = (description: string) =>
  text(description).meta({ description, anyOf: [{ enum: Object.keys(cas) }, { pattern: "^[Hh][Tt][Tt][Pp][Ss]?:" }] });
const texts = (description: string) => z.array(z.string().min(1)).min(1).describe(description);
const duration = (description: string) =>
  z
    .string("has to be a duration like 90s, 5m or 24h")
    .regex(/^(\d+(\.\d+)?(ms|s|m|h|d))+$/, "is no duration; write 90s, 5m or 24h")
    .describe(description);

/** A credential: named, never written down (secrets.ts reads it). */
const secret = (description: string) =>
  z
    .unknown()
    .superRefine((value, context) => {
      if (typeof value === "string" || isSecretReference(value)) return;
      const given = typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : {};
      const keys = Object.keys(given).filter((key) => !namedKeys.includes(key));
      if (keys.length > 0) context.addIssue({ code: "unrecognized_keys", keys, input: given });
      else context.addIssue({ code: "custom", message: "has to be { env: NAME } or { file: PATH }" });
    })
    .meta({ description, ...secretJson });

const keyType = z.enum(["ec256", "ec384", "rsa2048", "rsa3072", "rsa4096"]).describe("type of the certificate's key");
const octalMode = (description: string) =>
  z
    .string()
    .regex(/^0?[0-7]{3}$/, 'is no file mode; write "0640"')
    .describe(description);

/** What every CA takes; `fallback` names further ones by the same keys. */
const caKeys = {
  email: text("contact for the account").optional(),
  caRoot: text("PEM file trusted for the API of a private CA").optional(),
  eab: z
    .strictObject({
      kid: text("key id"),
      hmacKey: secret("HMAC key"),
    })
    .describe("external account binding, where the CA wants one")
    .optional(),
  profile: text("certificate profile").optional(),
  profileRequired: z
    .boolean()
    .describe("fail when the CA no longer offers the profile, instead of going on without it")
    .optional(),
  preferredChain: text("common name of an issuer to prefer").optional(),
  keyType: keyType.optional(),
};

const providerConfig = z
  .record(z.string(), z.unknown())
  .describe("the provider's fields: dns01 providers ID lists them")
  .optional();

/** `dns01.yaml`. Unknown keys are refused. docs/config.md explains each. */
export const configSchema = z.strictObject({
  acme: z
    .strictObject({
      ca: ca("CA by id, or the address of its directory (default: letsencrypt)").optional(),
      ...caKeys,
      fallback: z
        .array(z.strictObject({ ca: ca("CA by id, or the address of its directory"), ...caKeys }))
        .describe("CAs to go over to, in this order, when the first one cannot serve")
        .optional(),
    })
    .describe("the CA, and what is asked of it")
    .optional(),
  plugins: z
    .array(z.string().min(1))
    .describe("more providers: JavaScript files, relative to this one, or installed packages")
    .optional(),
  credentials: z
    .record(z.string().min(1), z.strictObject({ provider: text("provider id"), config: providerConfig }))
    .describe("accounts at DNS services, by a name that solvers refer to")
    .optional(),
  solvers: z
    .array(
      z.strictObject({
        zones: texts("zones it is for; without them it is for every other name").optional(),
        provider: text("provider id").optional(),
        credentials: text("name of an entry of `credentials`, which brings provider and config").optional(),
        config: providerConfig,
        ttl: z.int().min(1).describe("seconds resolvers may keep the record").optional(),
      }),
    )
    .describe("who writes where; the longest matching zone wins")
    .optional(),
  dns: z
    .strictObject({
      resolvers: texts("find nameservers through these: ADDR, ADDR:PORT or DoH address").optional(),
      discovery: z.enum(["walk", "resolver"]).describe("how nameservers are found").optional(),
      nameservers: texts("poll exactly these authoritative servers: ADDR or ADDR:PORT").optional(),
      dnsPort: z.int().min(1).max(65_535).describe("port of the authoritative servers found (labs)").optional(),
      propagation: z
        .enum(["authoritative", "recursive", "both", "none"])
        .describe("whom to ask before the CA is asked to look")
        .optional(),
      propagationTimeout: duration("how long to wait for every nameserver (default: 5m)").optional(),
    })
    .describe("how nameservers are found and asked")
    .optional(),
  certificates: z
    .array(
      z.strictObject({
        name: text("name in the state directory (default: the first domain)").optional(),
        domains: texts("names to certify, *.wildcards too").optional(),
        csr: text("file with a certificate request (PEM or DER), for a key of your own").optional(),
        ca: ca("CA by id or address, instead of acme.ca; there is no fallback then").optional(),
        keyType: keyType.optional(),
        profile: text("certificate profile").optional(),
        profileRequired: caKeys.profileRequired,
        preferredChain: caKeys.preferredChain,
        reuseKey: z.boolean().describe("keep the private key when renewing").optional(),
        out: z
          .union([
            text("directory"),
            z.strictObject({
              dir: text("directory"),
              owner: text("user that owns the copies, by name or id").optional(),
              group: text("group of the copies, by name or id").optional(),
              mode: octalMode('mode of privkey.pem, for example "0640" (default: "0600")').optional(),
            }),
          ])
          .describe("also copy the files there")
          .optional(),
        pfx: z
          .strictObject({
            password: secret("password of the file"),
            legacy: z.boolean().describe("encryption that old systems read (3DES)").optional(),
          })
          .describe("also write certificate.pfx (PKCS #12)")
          .optional(),
        deploy: z
          .strictObject({
            command: text("shell command to run after a new certificate is stored"),
            timeout: duration("how long it may take (default: 5m)").optional(),
          })
          .describe("what follows a new certificate")
          .optional(),
      }),
    )
    .describe("what `run` and `renew` keep valid")
    .optional(),
  run: z
    .strictObject({
      listen: text("ADDR:PORT of /healthz and /metrics").optional(),
      parallel: z.int().min(1).max(64).describe("certificates worked on at once (default: 4)").optional(),
      ordersPerSecond: z
        .int()
        .min(1)
        .max(100)
        .describe("orders placed at one CA in a second, at most (default: 1)")
        .optional(),
    })
    .describe("settings of the daemon")
    .optional(),
});

/**
 * The file as far as it is sound: what is at fault is left out (in a list: undefined, so that places hold), and the
 * faults are told beside it.
 */
export type ConfigFile = Sound<z.output<typeof configSchema>>;

type Sound<T> = unknown extends T
  ? T
  : T extends readonly (infer E)[]
    ? readonly (Sound<E> | undefined)[]
    : T extends object
      ? { readonly [K in keyof T]?: Sound<T[K]> | undefined }
      : T;
