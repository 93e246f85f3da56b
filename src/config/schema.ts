import { z } from "zod";

/** A secret is named, never written down: `{ env: NAME }` or `{ file: PATH }` (core/fields.ts reads it). */
const fieldValue = z.union([
  z.string(),
  z.number(),
  z.boolean(),
  z.strictObject({ env: z.string().min(1) }),
  z.strictObject({ file: z.string().min(1) }),
]);

/** `dns01.yaml`. Unknown keys are refused. */
export const configSchema = z.strictObject({
  acme: z
    .strictObject({
      ca: z.string().min(1).describe("CA by id, or the address of its directory").optional(),
      email: z.string().min(1).describe("contact for the account").optional(),
      caRoot: z.string().min(1).describe("PEM file trusted for the API of a private CA").optional(),
      profile: z.string().min(1).describe("certificate profile").optional(),
      preferredChain: z.string().min(1).describe("common name of an issuer to prefer").optional(),
    })
    .optional(),
  plugins: z
    .array(z.string().min(1))
    .describe("more providers: JavaScript files, relative to this one, or installed packages")
    .optional(),
  solvers: z
    .array(
      z.strictObject({
        zones: z
          .array(z.string().min(1))
          .min(1)
          .describe("zones it is for; without them it is for every name")
          .optional(),
        provider: z.string().min(1).describe("provider id"),
        config: z.record(z.string(), fieldValue).describe("the provider's fields").optional(),
      }),
    )
    .describe("the longest matching zone wins")
    .optional(),
  certificates: z
    .array(
      z.strictObject({
        name: z.string().min(1).optional(),
        domains: z.array(z.string().min(1)).min(1),
        keyType: z.enum(["ec256", "ec384", "rsa2048", "rsa3072", "rsa4096"]).optional(),
        deploy: z.strictObject({ command: z.string().min(1) }).optional(),
      }),
    )
    .optional(),
});

export type ConfigFile = z.output<typeof configSchema>;
