import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { ErrorCode } from "../core/errors.ts";

/** Returns the path of a document in the installed package; undefined where it was left out, as in the image. */
export function docsFile(name: string, home: URL): string | undefined {
  const file = fileURLToPath(new URL(`../docs/${name}`, home));
  return existsSync(file) ? file : undefined;
}

/** Returns where docs/errors.md explains a code. */
export function docsAnchor(code: ErrorCode, home: URL): string | undefined {
  const file = docsFile("errors.md", home);
  return file && `${file}#${code.toLowerCase()}`;
}
