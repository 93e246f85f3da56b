import { readFile } from "node:fs/promises";
import {
  ConfigError,
  type ConnectDeps,
  parseKeyFile,
  parseName,
  parseTsigAlgorithm,
  type TsigKey,
} from "../../src/index.ts";
import { type Config, decodeSecret } from "./config.ts";
import { configFault } from "./errors.ts";

export async function keyOf(given: Config, deps: ConnectDeps): Promise<TsigKey | undefined> {
  if (given.tsigFile !== undefined) return keyFromFile(given.tsigFile, deps);
  const { tsigKeyName, tsigSecret, tsigAlgorithm } = given;
  if (tsigKeyName === undefined || tsigSecret === undefined) return undefined;
  return key("tsigSecret", { name: tsigKeyName, secret: tsigSecret, algorithm: tsigAlgorithm });
}

async function keyFromFile(path: string, deps: ConnectDeps): Promise<TsigKey> {
  // An Issuer in a cluster must not choose which files of the server are read.
  if (!deps.allowAmbientCredentials) throw configFault("tsigFile", "files of this machine may not be used here");
  try {
    const parsed = parseKeyFile(await readFile(path, { encoding: "utf8", signal: deps.signal }));
    deps.mask?.(parsed.secret);
    return key("tsigFile", parsed);
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
