import { ConfigError } from "../../core/errors.ts";
import { parseIdentifier, parseName } from "../../core/name.ts";
import { nearest } from "../../core/nearest.ts";
import { type Fault, fault, type Path } from "./fault.ts";

const keys = ["matchLabels", "dnsNames", "dnsZones"];

/** What is wrong with a solver's selector: cert-manager takes any text there, and a slip chooses nothing. */
export function selectorFaults(selector: unknown, path: Path): readonly Fault[] {
  if (selector === undefined || selector === null) return [];
  if (typeof selector !== "object" || Array.isArray(selector)) return [fault(path, "has to be an object")];
  return Object.entries(selector).flatMap(([key, value]) => {
    const at = [...path, key];
    if (!keys.includes(key)) {
      const near = nearest(key, keys);
      return [
        fault(
          at,
          `is not a field of selector; ${near === undefined ? `known are ${keys.join(", ")}` : `did you mean ${near}?`}`,
        ),
      ];
    }
    if (value === null) return [];
    return key === "matchLabels" ? labelFaults(value, at) : nameFaults(value, at, key === "dnsZones");
  });
}

function labelFaults(labels: unknown, path: Path): readonly Fault[] {
  if (typeof labels !== "object" || labels === null || Array.isArray(labels))
    return [fault(path, "has to be an object")];
  return Object.entries(labels).flatMap(([label, value]) =>
    typeof value === "string"
      ? []
      : [fault([...path, label], "has to be text (in quotes, where it looks like a number)")],
  );
}

function nameFaults(names: unknown, path: Path, zones: boolean): readonly Fault[] {
  if (!Array.isArray(names)) return [fault(path, "has to be a list of names")];
  return names.flatMap((name: unknown, index) => {
    const at = [...path, index];
    if (typeof name !== "string") return [fault(at, "has to be a name")];
    if (zones && name.startsWith("*.")) {
      return [fault(at, `"${name}": a zone has no "*."; ${name.slice(2)} stands for every name in it`)];
    }
    try {
      const parsed = zones ? parseName(name) : parseIdentifier(name).text;
      // cert-manager compares letter by letter with the names of the certificate.
      if (parsed === name) return [];
      return [fault(at, `"${name}" is compared as it is written: write ${parsed}`)];
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      return error.issues.map(({ message }) => fault(at, message));
    }
  });
}
