import { execFile } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("../..", import.meta.url));
export const main = join(root, "dist/cli/main.js");

export interface Ran {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the built command line; its environment is the one given and a PATH. */
export function dns01(
  args: readonly string[],
  options: { readonly cwd: string; readonly env?: Readonly<Record<string, string>>; readonly program?: string },
): Promise<Ran> {
  const { cwd, env = {}, program = main } = options;
  const environment = { PATH: process.env["PATH"] ?? "", HOME: cwd, XDG_STATE_HOME: cwd, ...env };
  return new Promise((resolve) => {
    execFile(process.execPath, [program, ...args], { cwd, env: environment }, (error, stdout, stderr) => {
      resolve({ status: error === null ? 0 : Number(error.code), stdout, stderr });
    });
  });
}

/** A provider that writes through RFC 2136: real enough to get a certificate from the sandbox. */
export const updatePlugin = `
import { defineProvider, holdsZone, parseName, parseServer, resolveServer, secret, updateTxt, z } from "dns01";

export default defineProvider({
  id: "updatehost",
  title: "Update Host",
  aliases: ["uphost"],
  config: z.strictObject({
    nameserver: z.string().meta({ description: "primary", env: ["RFC2136_NAMESERVER"] }),
    keyName: z.string().meta({ description: "name of the key", env: ["RFC2136_TSIG_KEY_NAME"] }),
    key: secret("secret of the key").meta({ env: ["RFC2136_TSIG_SECRET"] }),
  }),
  traits: { ttlSeconds: { min: 0, default: 60 } },
  connect: ({ nameserver, keyName, key }, { signal }) => {
    const tsig = { name: parseName(keyName), algorithm: "hmac-sha256", secret: Buffer.from(key, "base64") };
    const primary = async () => ({
      server: (await resolveServer(parseServer(nameserver), signal))[0],
      transport: "tcp",
      tsig,
    });
    return {
      findZone: async (apex, { signal }) =>
        (await holdsZone(await primary(), apex, signal, 5000)) ? { apex, id: apex } : undefined,
      apply: async (zone, edits, { signal, ttlSeconds }) => {
        const wanted = edits.map(({ owner, add, remove }) => ({ owner: owner.fqdn, add, remove }));
        const to = { primary: await primary(), zone: zone.apex, edits: wanted, ttlSeconds, timeoutMs: 5000, signal };
        return (await updateTxt(to)).map((changed) => (changed ? "changed" : "unchanged"));
      },
    };
  },
});
`;
