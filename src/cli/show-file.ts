import { readCas } from "../config/cas.ts";
import { type PlannedCertificate, readCertificates } from "../config/certificates.ts";
import { type Path, pathText } from "../config/document.ts";
import { isSecretReference } from "../config/secret-reference.ts";
import type { Sources } from "../config/settings.ts";
import { type ChosenRoute, readRoutes } from "../config/solvers.ts";
import type { ConfigIssue } from "../core/errors.ts";
import { fieldsOf } from "../core/fields.ts";
import { isSurelyPath } from "../core/secret-file.ts";
import { flagAt } from "./file-flags.ts";
import { masked, type Shown } from "./show-config.ts";

/** What the file says beyond what is a flag too: solvers, certificates, further CAs; each with its place or "default". */
export async function showFile(
  sources: Sources,
  flagNames: ReadonlySet<string>,
): Promise<{ readonly rows: readonly Shown[]; readonly issues: readonly ConfigIssue[] }> {
  const solvers = await readRoutes(sources);
  const cas = await readCas(sources);
  const read = await readCertificates(sources, cas, undefined);
  return {
    rows: [
      ...sectionRows(sources, flagNames),
      ...solvers.routes.flatMap((route) => solverRows(route, sources)),
      ...read.certificates.flatMap((certificate) => certificateRows(certificate, sources)),
    ],
    issues: [...solvers.issues, ...cas.issues, ...read.issues],
  };
}

function row(name: string, value: unknown, source: string | undefined): Shown {
  const text = Array.isArray(value) ? value.join(",") : String(value);
  return { name, value: text, source: source?.split(" ")[0] ?? "default", ways: [] };
}

/** Everything below a path of the file that is given. */
function leaves(value: unknown, path: Path, sources: Sources, secrets: readonly string[] = []): readonly Shown[] {
  if (value === undefined || value === null) return [];
  const { place } = sources.config;
  if (secrets.includes(String(path.at(-1)))) return [row(pathText(path), secretText(value), place(path))];
  if (Array.isArray(value) && value.every((entry) => typeof entry !== "object")) {
    return [row(pathText(path), value, place(path))];
  }
  if (Array.isArray(value)) return value.flatMap((entry, index) => leaves(entry, [...path, index], sources, secrets));
  if (typeof value !== "object") return [row(pathText(path), value, place(path))];
  return Object.entries(value).flatMap(([key, entry]) => leaves(entry, [...path, key], sources, secrets));
}

/** Where a secret is kept is none. */
function secretText(value: unknown): string {
  if (!isSecretReference(value)) return masked;
  return "env" in value
    ? `${masked} (env ${value.env})`
    : `${masked} (file ${isSurelyPath(value.file) ? value.file : masked})`;
}

/** `acme`, `dns` and `run`, as far as the command has no flag for it. */
function sectionRows(sources: Sources, flagNames: ReadonlySet<string>): readonly Shown[] {
  const { acme = {}, dns, run } = sources.config.config;
  const secrets = ["hmacKey"];
  const { fallback, ...own } = acme;
  const rows = [
    ...leaves(own, ["acme"], sources, secrets),
    ...leaves(dns, ["dns"], sources),
    ...leaves(run, ["run"], sources),
  ];
  return [
    ...rows.filter(({ name }) => !flagNames.has(flagAt(name) ?? "")),
    ...leaves(fallback, ["acme", "fallback"], sources, secrets),
  ];
}

function solverRows(route: ChosenRoute, { config }: Sources): readonly Shown[] {
  const [place, name] = route.place.split(" ");
  // What --provider names is shown among the flags.
  if (config.file === undefined || name === undefined) return [];
  const { origins, ttlSeconds, config: values } = route.config;
  const fields = fieldsOf(route.provider).flatMap((field) => {
    const value = field.name === "ttl" ? (ttlSeconds ?? field.default) : values[field.name];
    if (value === undefined) return [];
    return [row(`${name}.config.${field.name}`, field.secret ? masked : value, origins[field.name])];
  });
  return [
    row(`${name}.zones`, route.zones.length === 0 ? "(every other name)" : route.zones, place),
    row(`${name}.provider`, route.provider.id, place),
    ...fields,
  ];
}

function certificateRows(certificate: PlannedCertificate, sources: Sources): readonly Shown[] {
  const { flags, config } = sources;
  const name = certificate.place.split(" ")[1] ?? "";
  const index = Number(/\d+/.exec(name)?.[0]);
  const path: Path = ["certificates", index];
  const entry = config.config.certificates?.[index] ?? {};
  const { name: own, ca, keyType, deploy, ...others } = entry;
  const at = (key: string, value: unknown) => (value === undefined ? undefined : config.place([...path, key]));
  const [first] = certificate.cas;
  return [
    row(`${name}.name`, certificate.name, at("name", own)),
    row(`${name}.ca`, first?.ca.id ?? first?.ca.directoryUrl ?? "", at("ca", ca) ?? flags.source("ca")),
    row(`${name}.keyType`, certificate.keyType, at("keyType", keyType) ?? flags.source("key-type")),
    ...leaves(others, path, sources, ["password"]),
    ...leaves(deploy, [...path, "deploy"], sources),
    ...(deploy !== undefined && deploy.timeout === undefined ? [row(`${name}.deploy.timeout`, "5m", undefined)] : []),
  ];
}
