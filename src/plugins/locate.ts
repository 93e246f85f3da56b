import { stat } from "node:fs/promises";
import { isAbsolute, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { codeText } from "../core/system-error.ts";

/** A plugin as it was named. */
export interface PluginRef {
  /** Path or package. */
  readonly text: string;
  /** Folder that a path is relative to, and whose packages are seen. */
  readonly base: string;
  /** Where it was named: "--plugin", "dns01.yaml:3 plugins[0]". */
  readonly from: string;
}

export type Located =
  | { readonly kind: "file"; readonly path: string }
  | { readonly kind: "package"; readonly name: string }
  | { readonly kind: "nothing"; readonly message: string };

/** A file where it looks like one or is there, else a package. */
export async function locate({ text, base }: PluginRef): Promise<Located> {
  if (text.startsWith("file:")) return await fileAt(fromAddress(text) ?? text);
  if (/^[a-z][a-z0-9+.-]+:/i.test(text)) {
    return { kind: "nothing", message: "is an address; a plugin is a file, or a package that is installed" };
  }
  const path = resolve(base, text);
  if (/^\.{0,2}[/\\]|^\.{1,2}$|\.[cm]?[jt]s$/.test(text) || isAbsolute(text)) return await fileAt(path);
  const found = await fileAt(path);
  if (found.kind === "file") return found;
  if (/^(@[a-z0-9~-][a-z0-9._~-]*\/)?[a-z0-9~-][a-z0-9._~-]*(\/[^\\]+)?$/.test(text))
    return { kind: "package", name: text };
  return found;
}

async function fileAt(path: string): Promise<Located> {
  try {
    const found = await stat(path);
    if (found.isFile()) return { kind: "file", path };
    return { kind: "nothing", message: `${path} is no file; name the plugin's file itself` };
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : String(error);
    const absent = code === "ENOENT" || code === "ENOTDIR";
    return { kind: "nothing", message: absent ? `there is no file ${path}` : `cannot read ${path}: ${codeText(code)}` };
  }
}

function fromAddress(text: string): string | undefined {
  try {
    return fileURLToPath(text);
  } catch {
    return undefined;
  }
}
