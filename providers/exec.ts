import { isAbsolute } from "node:path";
import {
  AuthError,
  commandBackend,
  type Dns01Error,
  defineProvider,
  RejectedError,
  TransientError,
  z,
} from "../src/index.ts";
import { type Ended, runProgram } from "./exec/program.ts";

const config = z.strictObject({
  path: z
    .string()
    .min(1, "is empty")
    .refine((path) => isAbsolute(path), "has to be an absolute path")
    .meta({ description: "program to run, absolute", local: true }),
  mode: z
    .string()
    .refine(
      (mode) => mode.toUpperCase() !== "RAW",
      "cannot be RAW: that needs the key authorization, and a provider is only given the TXT value",
    )
    .refine((mode) => /^(|raw)$/i.test(mode), "is not known; leave it out")
    .default("")
    .describe("only the default mode is spoken: leave it empty"),
});

/** sysexits.h: try again later; permission denied. */
const tempFail = 75;
const noPermission = 77;

export default defineProvider({
  id: "exec",
  title: "External program",
  docs: "https://go-acme.github.io/lego/dns/exec/",
  config,
  // The protocol has no TTL; the program decides.
  traits: { ttlSeconds: { min: 1, default: 60 }, localOnly: true },
  classify: notStarted,
  connect: ({ path }, { debug = () => {} }) => {
    const run = async (act: "present" | "cleanup", fqdn: string, value: string, signal: AbortSignal): Promise<void> => {
      const onLine = (line: string) => debug(`${act} ${fqdn}: ${line}`);
      const failure = failureOf(`${path} ${act}`, await runProgram(path, [act, `${fqdn}.`, value], { signal, onLine }));
      if (failure !== undefined) throw failure;
    };
    return commandBackend({
      present: ({ fqdn }, value, { signal }) => run("present", fqdn, value, signal),
      cleanUp: ({ fqdn }, value, { signal }) => run("cleanup", fqdn, value, signal),
    });
  },
});

function failureOf(what: string, { status, killedBy }: Ended): Dns01Error | undefined {
  if (status === 0) return undefined;
  const hint = "--log-level debug shows what it wrote.";
  if (killedBy !== null) return new TransientError(`${what} was ended by ${killedBy}`, { hint });
  const message = `${what} ended with status ${status}`;
  if (status === tempFail) return new TransientError(message, { hint });
  if (status === noPermission) return new AuthError(message, { hint });
  return new RejectedError(message, { hint, serviceCode: String(status) });
}

/** spawn's words have the path in them; what is missing is the reason. */
function notStarted(cause: unknown): Dns01Error | undefined {
  const { syscall, code } = (cause ?? {}) as { readonly syscall?: unknown; readonly code?: unknown };
  if (typeof syscall !== "string" || !syscall.startsWith("spawn") || typeof code !== "string") return undefined;
  const busy = /^E(AGAIN|MFILE|NFILE|NOMEM|TXTBSY)$/.test(code);
  const message = `the program cannot be started: ${syscall}: ${code}`;
  if (busy) return new TransientError(message, { cause });
  const hint =
    "EXEC_PATH has to be a program that this user may execute; a script needs a first line such as #!/bin/sh.";
  return new RejectedError(message, { cause, serviceCode: code, hint });
}
