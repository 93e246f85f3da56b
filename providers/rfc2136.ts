import { readFile } from "node:fs/promises";
import {
  AuthError,
  ConfigError,
  type ConnectDeps,
  type Dns01Error,
  defineProvider,
  holdsZone,
  type Primary,
  parseKeyFile,
  parseName,
  parseServer,
  parseTsigAlgorithm,
  RejectedError,
  RoundTripError,
  resolveServer,
  secret,
  TransientError,
  type TsigKey,
  type TxtBackend,
  tsigAlgorithms,
  UpdateError,
  updateTxt,
  ZoneNotFoundError,
  z,
} from "../src/index.ts";

const config = z
  .strictObject({
    nameserver: z.string().meta({
      description: "primary nameserver that takes the updates: host[:port], IPv6 in brackets",
      endpoint: "nameserver",
    }),
    tsigKeyName: z
      .string()
      .optional()
      .meta({ description: "name of the TSIG key", env: ["RFC2136_TSIG_KEY"] }),
    tsigSecret: secret("secret of the TSIG key, in base64").optional(),
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

type Config = z.output<typeof config>;

export default defineProvider({
  id: "rfc2136",
  title: "Dynamic update (RFC 2136): BIND, Knot, PowerDNS and others",
  docs: "https://www.rfc-editor.org/rfc/rfc2136",
  aliases: ["nsupdate", "dnsupdate"],
  config,
  traits: { ttlSeconds: { min: 0, default: 60 } },
  classify,
  connect: async (given, deps): Promise<TxtBackend> => {
    const server = parseServer(given.nameserver);
    if (server === undefined) throw configFault("nameserver", "is no host name or address");
    const tsig = await keyOf(given, deps);
    const transport = transportOf(given.transport) ?? "tcp";
    const timeoutMs = given.dnsTimeout * 1000;

    /** At the first address of the host that answers. */
    const atServer = async <T>(signal: AbortSignal, work: (primary: Primary) => Promise<T>): Promise<T> => {
      let failed: unknown;
      for (const endpoint of await resolveServer(server, signal)) {
        try {
          return await work({ server: endpoint, transport, tsig });
        } catch (error) {
          if (!(error instanceof RoundTripError)) throw error;
          failed = error;
        }
      }
      throw failed;
    };

    return {
      findZone: async (apex, { signal }) =>
        (await atServer(signal, (primary) => holdsZone(primary, apex, signal, timeoutMs)))
          ? { apex, id: apex }
          : undefined,
      apply: async (zone, edits, { signal, ttlSeconds }) => {
        const wanted = edits.map(({ owner, add, remove }) => ({ owner: owner.fqdn, add, remove }));
        const changed = await atServer(signal, (primary) =>
          updateTxt({ primary, zone: zone.apex, edits: wanted, ttlSeconds, timeoutMs, signal }),
        );
        return changed.map((c) => (c ? "changed" : "unchanged"));
      },
    };
  },
});

async function keyOf(given: Config, deps: ConnectDeps): Promise<TsigKey | undefined> {
  if (given.tsigFile !== undefined) return keyFromFile(given.tsigFile, deps);
  const { tsigKeyName, tsigSecret, tsigAlgorithm } = given;
  if (tsigKeyName === undefined || tsigSecret === undefined) return undefined;
  return key("tsigSecret", { name: tsigKeyName, secret: tsigSecret, algorithm: tsigAlgorithm });
}

async function keyFromFile(path: string, deps: ConnectDeps): Promise<TsigKey> {
  // An Issuer in a cluster must not choose which files of the server are read.
  if (!deps.allowAmbientCredentials) throw configFault("tsigFile", "files of this machine may not be used here");
  try {
    return key("tsigFile", parseKeyFile(await readFile(path, { encoding: "utf8", signal: deps.signal })));
  } catch (cause) {
    if (cause instanceof ConfigError) throw cause;
    throw configFault(
      "tsigFile",
      `cannot take the key from ${path}: ${cause instanceof Error ? cause.message : cause}`,
    );
  }
}

function key(
  path: string,
  text: { readonly name: string; readonly secret: string; readonly algorithm: string },
): TsigKey {
  const algorithm = parseTsigAlgorithm(text.algorithm);
  const octets = decodeSecret(text.secret);
  if (algorithm === undefined) throw configFault(path, `unknown TSIG algorithm "${text.algorithm}"`);
  if (octets === undefined) throw configFault(path, "the TSIG secret is not base64");
  return { name: parseName(text.name, path), algorithm, secret: octets };
}

function decodeSecret(text: string): Uint8Array | undefined {
  const bare = text.replace(/\s/g, "");
  return /^[A-Za-z0-9+/]+={0,2}$/.test(bare) ? new Uint8Array(Buffer.from(bare, "base64")) : undefined;
}

function transportOf(text: string): "tcp" | "udp" | undefined {
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

function configFault(path: string, message: string): ConfigError {
  return new ConfigError([{ path, message }], { provider: "rfc2136" });
}

function classify(cause: unknown): Dns01Error | undefined {
  if (cause instanceof RoundTripError) {
    const hint = "Check that nameserver is the primary and that this machine may reach it over the chosen transport.";
    return new TransientError(cause.message, { cause, timeout: cause.failure === "timeout", hint });
  }
  if (cause instanceof Error && "syscall" in cause && cause.syscall === "getaddrinfo") {
    return new TransientError(`the name of the nameserver cannot be resolved: ${cause.message}`, {
      cause,
      hint: "Check nameserver (RFC2136_NAMESERVER) and this machine's resolver; an IP address needs none.",
    });
  }
  if (!(cause instanceof UpdateError)) return undefined;
  const { message, rcode, zone, skewSeconds } = cause;
  const facts = (hint: string) => ({ cause, zone, hint, details: { rcode, skewSeconds } });
  switch (cause.failure) {
    case "bad-signature":
      return new AuthError(
        message,
        facts("Check that tsigSecret (RFC2136_TSIG_SECRET) is that key's secret at the server."),
      );
    case "bad-key":
      return new AuthError(
        message,
        facts("Check tsigKeyName (RFC2136_TSIG_KEY) and tsigAlgorithm against the server's key."),
      );
    case "bad-time":
      return new AuthError(
        message,
        facts("Set the clocks of both machines (NTP): a signature is valid for five minutes."),
      );
    case "bad-truncation":
      return new AuthError(message, facts("Take a key without truncated MACs at the server."));
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
          "Check tsigKeyName, tsigSecret and tsigAlgorithm, that the server lets this key update the zone, and that it is the primary.",
        ),
      );
    }
    case "not-zone":
      return notHeld(cause);
    case "refused":
      return new AuthError(
        message,
        facts(
          "Let this key change TXT there: update-policy or allow-update in BIND, acl with action update in Knot, TSIG-ALLOW-DNSUPDATE in PowerDNS. GSS-TSIG (Active Directory's secure-only zones) is not supported.",
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

function notHeld({ message, zone, rcode }: UpdateError): ZoneNotFoundError {
  const hint = "Check that nameserver is the zone's primary, not a secondary or a resolver.";
  return new ZoneNotFoundError(message, [zone], { zone, hint, details: { rcode } });
}
