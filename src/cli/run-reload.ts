import { watchConfig } from "../config/watch.ts";
import { thrownText } from "../core/thrown.ts";
import type { Notifier } from "../daemon/notify.ts";
import type { CommandInput } from "./command.ts";
import type { Report } from "./run-report.ts";

export interface ReloadOptions {
  readonly input: CommandInput;
  /** Reads the configuration and lets it take effect; throws ConfigError when it is broken. Answers with the status. */
  readonly reload: (fresh: CommandInput) => Promise<string>;
  /** What was read for it besides the file. */
  readonly filesRead: () => ReadonlySet<string>;
  readonly onResult: (result: "ok" | "failed") => void;
  readonly notifier: Notifier;
  readonly report: Report;
}

/** Reloads when the file changes or one that it names, and on SIGHUP, until the returned function is called. */
export async function startReloads(options: ReloadOptions): Promise<() => void> {
  const { input, notifier, report } = options;
  const loaded = await input.loadConfig();
  let status = "";

  const load = async (): Promise<void> => {
    status = await options.reload({ ...input, ...(await input.reread()) });
  };
  const onChange = async (): Promise<void> => {
    options.onResult("ok");
    report.info(`the configuration was read again: ${status}`);
    await notifier.ready(status);
  };
  const onFault = (error: Error): void => {
    options.onResult("failed");
    report.warn(`the configuration is broken; the earlier one stays in force: ${thrownText(error)}`, {
      code: "CONFIG",
    });
  };
  const watched = await watchConfig(loaded.file, {
    load,
    onChange,
    onFault,
    others: options.filesRead,
    signal: input.io.signal,
    ...(loaded.digest === undefined ? {} : { known: loaded.digest }),
  });
  const onHangUp = () => {
    void (async () => {
      await notifier.reloading();
      await watched.reload();
      // Whatever came of it: what is in force is in force.
      await notifier.ready(status);
    })();
  };
  process.on("SIGHUP", onHangUp);
  return () => void process.off("SIGHUP", onHangUp);
}
