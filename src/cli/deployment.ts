import { resolve } from "node:path";
import { readSecretInput } from "../config/attempt.ts";
import { noTime } from "../config/certificates.ts";
import { createOwners } from "../config/owners.ts";
import { warnOfReaders } from "../config/provider-fields.ts";
import type { ConfigIssue } from "../core/errors.ts";
import type { Deployment } from "../deploy/deploy.ts";
import type { CommandInput } from "./command.ts";

/** What `--out`, `--pfx-password-file` and `--deploy-hook` say; faults are added to `issues`, and nothing is called. */
export async function readDeployment(
  { flags, redactor, observer }: Pick<CommandInput, "flags" | "redactor" | "observer">,
  issues: ConfigIssue[],
): Promise<Deployment> {
  const at = (flag: string) => flags.source(flag) ?? `--${flag}`;
  const dir = flags.text("out");
  const mode = flags.text("out-mode");
  const command = flags.text("deploy-hook");
  const passwordFile = flags.text("pfx-password-file");
  if (mode !== undefined && !/^0?[0-7]{3}$/.test(mode)) {
    issues.push({ path: at("out-mode"), message: `"${mode}" is no file mode; write 0640` });
  }
  for (const flag of ["out-owner", "out-group", "out-mode"]) {
    if (dir === undefined && flags.text(flag) !== undefined)
      issues.push({ path: at(flag), message: "needs --out DIR" });
  }
  if (command === undefined && isGiven(flags.source("deploy-timeout"))) {
    issues.push({ path: at("deploy-timeout"), message: "needs --deploy-hook CMD" });
  }
  if (flags.duration("deploy-timeout") === 0) issues.push({ path: at("deploy-timeout"), message: noTime });
  if (flags.on("pfx-legacy") && passwordFile === undefined) {
    issues.push({ path: at("pfx-legacy"), message: "needs --pfx-password-file FILE" });
  }
  if (passwordFile !== undefined && flags.text("csr") !== undefined) {
    const message = "cannot be had with --csr: the key that belongs into the file is yours";
    issues.push({ path: at("pfx-password-file"), message });
  }
  const password =
    passwordFile === undefined ? undefined : await readPassword(passwordFile, at("pfx-password-file"), issues);
  if (password !== undefined) redactor.add(password);
  if (passwordFile !== undefined && password !== undefined) await warnOfReaders(passwordFile, observer);
  const [owner, group] = [flags.text("out-owner"), flags.text("out-group")];
  const owners = createOwners();
  await owners.user(owner, at("out-owner"), issues);
  await owners.group(group, at("out-group"), issues);
  return {
    pfx: password === undefined ? undefined : { password, legacy: flags.on("pfx-legacy") },
    out: dir === undefined ? undefined : { dir: resolve(dir), owner, group, mode: Number.parseInt(mode ?? "0600", 8) },
    hook: command === undefined ? undefined : { command, timeoutMs: flags.duration("deploy-timeout") ?? 300_000 },
  };
}

function isGiven(source: string | undefined): boolean {
  return source !== undefined && source !== "default";
}

async function readPassword(path: string, at: string, issues: ConfigIssue[]): Promise<string | undefined> {
  const text = (await readSecretInput(path, at, issues))?.toString("utf8").replace(/\r?\n$/, "");
  if (text === undefined || (text !== "" && !/\p{Cc}/u.test(text))) return text;
  issues.push({
    path: at,
    message: `${path} ${text === "" ? "is empty" : "holds more than one line, or control characters"}`,
  });
  return undefined;
}
