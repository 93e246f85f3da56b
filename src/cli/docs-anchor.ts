import type { ErrorCode } from "../core/errors.ts";

/** Where docs/errors.md explains a code; the file comes with the package. */
export function docsAnchor(code: ErrorCode): string {
  return `docs/errors.md#${code.toLowerCase()}`;
}
