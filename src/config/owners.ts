import { execFile } from "node:child_process";
import { promisify } from "node:util";
import type { ConfigIssue } from "../core/errors.ts";

/** Finds out whether users and groups are there, each once. */
export interface Owners {
  /** Adds an issue when this machine knows no such user. */
  user(name: string | undefined, path: string, issues: ConfigIssue[]): Promise<void>;
  group(name: string | undefined, path: string, issues: ConfigIssue[]): Promise<void>;
}

const run = promisify(execFile);

/** By the system's own programs, as chown does it: names may come from a directory service. */
const programs = {
  user: (name: string) => run("id", ["-u", name]),
  group: (name: string) => run("getent", ["group", name]),
} as const;

export function createOwners(): Owners {
  const known = new Map<string, Promise<boolean>>();
  const isThere = (kind: keyof typeof programs, name: string): Promise<boolean> => {
    const key = `${kind} ${name}`;
    const found = known.get(key) ?? ask(kind, name);
    known.set(key, found);
    return found;
  };
  const check =
    (kind: keyof typeof programs): Owners["user"] =>
    async (name, path, issues) => {
      // A number needs no name.
      if (name === undefined || /^\d+$/.test(name) || (await isThere(kind, name))) return;
      const slip = name.includes(":") ? "; a group is given by itself" : "";
      issues.push({ path, message: `there is no ${kind} "${name}" on this machine${slip}` });
    };
  return { user: check("user"), group: check("group") };
}

/** Without such a program it is left to the copying itself. */
async function ask(kind: keyof typeof programs, name: string): Promise<boolean> {
  if (name.startsWith("-")) return false;
  try {
    await programs[kind](name);
    return true;
  } catch (error) {
    const { code } = error as { readonly code?: unknown };
    return typeof code !== "number";
  }
}
