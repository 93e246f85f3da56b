import { type Alias, isAlias, isMap, isScalar, isSeq, LineCounter, parseAllDocuments } from "../../config/yaml.ts";
import { thrownText } from "../../core/thrown.ts";
import { asObject, type Path, pathText } from "./fault.ts";

/** One object of a file of manifests. */
export interface Manifest {
  readonly object: Readonly<Record<string, unknown>>;
  /** "issuers.yaml:12 spec.acme.solvers[0]": the nearest place that exists, with the path that was asked for. */
  place(path: Path): Place;
}

export interface Place {
  readonly file: string;
  readonly line: number;
  readonly path: string;
}

export interface ManifestFault {
  readonly place: Place;
  readonly message: string;
}

/**
 * Reads every object of a file: several YAML documents (JSON is YAML), lists of any kind taken apart. What cannot be
 * parsed is returned as a fault with its line.
 */
export function readManifests(
  file: string,
  text: string,
): { readonly manifests: readonly Manifest[]; readonly faults: readonly ManifestFault[] } {
  const lines = new LineCounter();
  const parsed = parseAllDocuments(text, { lineCounter: lines, prettyErrors: false, merge: true });
  const documents = "empty" in parsed ? [] : parsed;
  const lineOf = (offset: number) => lines.linePos(offset).line;
  const manifests: Manifest[] = [];
  const faults: ManifestFault[] = [];
  for (const document of documents) {
    if (document.errors.length > 0) {
      const found = document.errors.map(({ pos, message }) => ({
        place: { file, line: lineOf(pos[0]), path: "" },
        message,
      }));
      faults.push(...found);
      continue;
    }
    const place = (path: Path): Place => ({
      file,
      line: lineOf(offsetOf(document.contents, path, (alias) => alias.resolve(document))),
      path: pathText(path),
    });
    try {
      manifests.push(...objectsOf(document.toJS({ maxAliasCount: 100 }), [], place));
    } catch (error) {
      // Aliases without an anchor, that would grow without bound, or that lead into themselves.
      const why = error instanceof RangeError ? "it contains itself, or nests too deep" : thrownText(error);
      faults.push({ place: place([]), message: `is no YAML: ${why}` });
    }
  }
  return { manifests, faults };
}

function objectsOf(value: unknown, at: Path, place: Manifest["place"]): readonly Manifest[] {
  const object = asObject(value);
  const { kind, items } = object;
  if (typeof kind === "string" && kind.endsWith("List") && Array.isArray(items)) {
    // The items of a typed list may leave their kind to it.
    const inherited = kind === "List" ? {} : { apiVersion: object["apiVersion"], kind: kind.slice(0, -"List".length) };
    return items.flatMap((item, i) => objectsOf({ ...inherited, ...asObject(item) }, [...at, "items", i], place));
  }
  return Object.keys(object).length === 0 ? [] : [{ object, place: (path) => place([...at, ...path]) }];
}

/** Of the key or list entry that is nearest to the path. */
function offsetOf(root: unknown, path: Path, resolve: (alias: Alias) => unknown): number {
  let offset = startOf(root) ?? 0;
  let node = root;
  for (const part of path) {
    if (isAlias(node)) node = resolve(node);
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => (isScalar(key) ? String(key.value) : String(key)) === String(part));
      if (pair === undefined) break;
      offset = startOf(pair.key) ?? offset;
      node = pair.value;
    } else if (isSeq(node) && typeof part === "number" && part < node.items.length) {
      node = node.items[part];
      offset = startOf(node) ?? offset;
    } else break;
  }
  return offset;
}

function startOf(node: unknown): number | undefined {
  const range = typeof node === "object" && node !== null && "range" in node ? node.range : undefined;
  const start: unknown = Array.isArray(range) ? range[0] : undefined;
  return typeof start === "number" ? start : undefined;
}
