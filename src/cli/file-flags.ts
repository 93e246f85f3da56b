import { findCa } from "../acme/directories.ts";
import { type CaEntry, caEntries } from "../config/cas.ts";
import type { Path } from "../config/document.ts";
import type { LoadedConfig } from "../config/load.ts";
import { ConfigError } from "../core/errors.ts";
import { type Flags, type FlagValue, flagsOf } from "./args.ts";

/** Flags and where the file has the same; those of the CA are in the entry of the CA that is used. */
const inFile: Readonly<Record<string, Path>> = {
  resolver: ["dns", "resolvers"],
  discovery: ["dns", "discovery"],
  nameserver: ["dns", "nameservers"],
  "dns-port": ["dns", "dnsPort"],
  propagation: ["dns", "propagation"],
  "propagation-timeout": ["dns", "propagationTimeout"],
  listen: ["run", "listen"],
  parallel: ["run", "parallel"],
  "orders-per-second": ["run", "ordersPerSecond"],
};

const ofCa: Readonly<Record<string, readonly string[]>> = {
  ca: ["ca"],
  email: ["email"],
  "ca-root": ["caRoot"],
  "eab-kid": ["eab", "kid"],
  "key-type": ["keyType"],
  profile: ["profile"],
  "preferred-chain": ["preferredChain"],
};

/** The flag that is the same as a path of the file; of the CA's, as `acme` has them. */
export function flagAt(path: string): string | undefined {
  const all = [
    ...Object.entries(inFile),
    ...Object.entries(ofCa).map(([name, keys]) => [name, ["acme", ...keys]] as const),
  ];
  return all.find(([, at]) => at.join(".") === path)?.[0];
}

/** The flags with the file's values where neither the command line nor the environment says anything. */
export function withFile(flags: Flags, loaded: LoadedConfig): Flags {
  if (loaded.file === undefined) return flags;
  const given = new Map(flags.given);
  if (!given.has("config")) given.set("config", { values: [loaded.file], source: "default" });
  const fill = (name: string, path: Path, value: unknown) => {
    const before = given.get(name);
    if (value === undefined || (before !== undefined && before.source !== "default")) return;
    const values = (Array.isArray(value) ? value : [value]).filter((one) => one !== undefined).map(String);
    const source = loaded.place(path);
    given.set(name, { values: name === "ca-root" ? values.map(loaded.resolve) : values, source } satisfies FlagValue);
  };
  for (const [name, path] of Object.entries(inFile)) fill(name, path, valueAt(loaded.config, path));
  const entry = entryFor(flags, loaded);
  for (const [name, keys] of Object.entries(ofCa)) {
    if (entry !== undefined) fill(name, [...entry.path, ...keys], valueAt(entry.values, keys));
  }
  // Whoever answers for the certificates is the same at every CA.
  for (const name of ["email", "key-type"]) {
    const key = name === "email" ? "email" : "keyType";
    fill(name, ["acme", key], loaded.config.acme?.[key]);
  }
  return flagsOf(flags.positionals, given);
}

/** What the file says of the CA that is used: `acme`, or the entry of the CA that a flag names. */
function entryFor(flags: Flags, loaded: LoadedConfig): CaEntry | undefined {
  const entries = caEntries(loaded);
  const asked = flags.source("ca") === "default" ? undefined : flags.text("ca");
  if (asked === undefined) return entries[0];
  const wanted = addressOf(asked);
  return entries.find(({ values }) => values.ca !== undefined && addressOf(values.ca) === wanted);
}

function addressOf(ca: string): string {
  try {
    return findCa(ca).directoryUrl;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return ca;
  }
}

function valueAt(root: unknown, path: Path): unknown {
  return path.reduce<unknown>(
    (value, key) =>
      typeof value === "object" && value !== null
        ? (value as Readonly<Record<string | number, unknown>>)[key]
        : undefined,
    root,
  );
}
