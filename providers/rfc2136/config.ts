import { ConfigError, parseName, parseServer, parseTsigAlgorithm, secret, tsigAlgorithms, z } from "../../src/index.ts";

export const config = z
  .strictObject({
    nameserver: z.string().meta({
      description: "primary nameserver that takes the updates: host[:port], IPv6 in brackets",
      endpoint: "nameserver",
    }),
    tsigKeyName: z
      .string()
      .optional()
      .meta({ description: "name of the TSIG key", env: ["RFC2136_TSIG_KEY"] }),
    tsigSecret: secret("secret of the TSIG key, in base64", { lines: true }).optional(),
    tsigAlgorithm: z
      .string()
      .default("hmac-sha256")
      .describe(`algorithm of the TSIG key: ${tsigAlgorithms.join(", ")}`),
    tsigFile: z.string().optional().meta({
      description: "file with the TSIG key as BIND's tools write it, instead of the three above",
      local: true,
    }),
    transport: z
      .string()
      .default("tcp")
      .meta({ description: "how updates travel: tcp or udp", aliases: ["protocol"], env: ["RFC2136_TRANSPORT"] }),
    dnsTimeout: z.number().min(1).max(600).default(10).describe("seconds to wait for an answer of the nameserver"),
  })
  .superRefine((given, context) => {
    const fault = (path: string, message: string) => context.addIssue({ code: "custom", path: [path], message });
    if (parseServer(given.nameserver) === undefined) {
      fault("nameserver", `"${given.nameserver}" is no host name or address with an optional port`);
    }
    if (given.tsigFile !== undefined) {
      if (given.tsigKeyName !== undefined) fault("tsigKeyName", "is given together with tsigFile: give one of them");
      if (given.tsigSecret !== undefined) fault("tsigSecret", "is given together with tsigFile: give one of them");
    } else if (given.tsigSecret !== undefined && given.tsigKeyName === undefined) {
      fault("tsigKeyName", "is missing: a TSIG secret is given, and it needs the name of its key");
    } else if (given.tsigKeyName !== undefined && given.tsigSecret === undefined) {
      fault("tsigSecret", "is missing: the name of a TSIG key is given, and it needs its secret");
    }
    if (given.tsigKeyName !== undefined) {
      for (const message of nameFaults(given.tsigKeyName)) fault("tsigKeyName", message);
    }
    if (given.tsigSecret !== undefined && decodeSecret(given.tsigSecret) === undefined) {
      fault("tsigSecret", "is not base64");
    }
    if (parseTsigAlgorithm(given.tsigAlgorithm) === undefined) {
      fault("tsigAlgorithm", `"${given.tsigAlgorithm}" is none of ${tsigAlgorithms.join(", ")}`);
    }
    if (transportOf(given.transport) === undefined) fault("transport", `"${given.transport}" is neither tcp nor udp`);
  });

export type Config = z.output<typeof config>;

export function decodeSecret(text: string): Uint8Array | undefined {
  const bare = text.replace(/\s/g, "");
  return /^[A-Za-z0-9+/]+={0,2}$/.test(bare) ? new Uint8Array(Buffer.from(bare, "base64")) : undefined;
}

export function transportOf(text: string): "tcp" | "udp" | undefined {
  const bare = text.trim().toLowerCase();
  return bare === "tcp" || bare === "udp" ? bare : undefined;
}

function nameFaults(name: string): readonly string[] {
  try {
    parseName(name);
    return [];
  } catch (error) {
    return error instanceof ConfigError ? error.issues.map(({ message }) => message) : [];
  }
}
