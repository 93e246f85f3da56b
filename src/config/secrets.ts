import type { ConfigIssue } from "../core/errors.ts";
import { shownVariable } from "../core/fields.ts";
import { unreadableSecret } from "../core/secret-file.ts";
import type { Path } from "./document.ts";
import { readSecretFile } from "./provider-fields.ts";
import { isSecretReference } from "./secret-reference.ts";
import type { Sources } from "./settings.ts";

/**
 * A secret of the file, read from where it says, and known to the redactor from then on; undefined beside an issue.
 * `absent` takes the issue of a place where there is nothing, or nothing that can be read.
 */
export async function readSecret(
  value: unknown,
  path: Path,
  sources: Sources,
  issues: ConfigIssue[],
  absent: ConfigIssue[] = issues,
): Promise<string | undefined> {
  const { env, flags, redactor, config, observer, filesRead } = sources;
  const fault = (message: string, to = issues) => {
    to.push({ path: config.place(path), message });
    return undefined;
  };
  const read = async (): Promise<string | undefined> => {
    if (typeof value === "string") {
      redactor.add(value);
      return flags.on("allow-inline-secrets")
        ? value
        : fault("is a secret and has to be { env: NAME } or { file: PATH }");
    }
    if (!isSecretReference(value)) return fault("has to be { env: NAME } or { file: PATH }");
    if ("env" in value)
      return env[value.env] ?? fault(`the environment variable ${shownVariable(value.env)} is not set`, absent);
    const file = config.resolve(value.file);
    filesRead?.add(file);
    return await readSecretFile(file, observer).catch((error: unknown) =>
      fault(unreadableSecret(value.file, error, file), absent),
    );
  };
  const secret = (await read())?.replace(/[\r\n]+$/, "");
  if (secret === "") return fault("is empty");
  if (secret !== undefined) redactor.add(secret);
  return secret;
}
