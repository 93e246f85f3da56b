import { ConfigError, type ConfigIssue } from "../core/errors.ts";
import { isSurelyPath, unreadableSecret } from "../core/secret-file.ts";
import { reasonText } from "../core/thrown.ts";
import { configLimit, readLimited } from "../store/files.ts";

/** Collects the faults of one part, so that the others are looked at too. */
export function attempt<T>(issues: ConfigIssue[], work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    issues.push(...issuesOf(error));
    return undefined;
  }
}

/** The faults of a ConfigError; anything else is thrown on. */
export function issuesOf(error: unknown): readonly ConfigIssue[] {
  if (!(error instanceof ConfigError)) throw error;
  return error.issues;
}

/** A file that the configuration names at `at`. */
export async function readInput(path: string, at: string, issues: ConfigIssue[]): Promise<Buffer | undefined> {
  try {
    return await readLimited(path, configLimit);
  } catch (error) {
    issues.push({ path: at, message: `cannot read ${path}: ${reasonText(error)}` });
    return undefined;
  }
}

/** The same of a file that holds a secret. */
export async function readSecretInput(path: string, at: string, issues: ConfigIssue[]): Promise<Buffer | undefined> {
  if (isSurelyPath(path)) return await readInput(path, at, issues);
  return await readLimited(path, configLimit).catch((error: unknown) => {
    issues.push({ path: at, message: unreadableSecret(path, error) });
    return undefined;
  });
}
