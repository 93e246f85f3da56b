/**
 * Lets the work go on when nobody reads its output any more (`| head -1`, a log collector that died): without a
 * listener Node ends the process in the middle of it, with values in DNS. What could not be written to stdout for
 * another reason than a reader that left (a full disk) shows in the exit status.
 */
export function tolerateClosedOutput(): void {
  process.stderr.on("error", () => {});
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE" || error.code === "ERR_STREAM_DESTROYED") return;
    process.once("exit", () => {
      process.exitCode = process.exitCode === undefined || process.exitCode === 0 ? 1 : process.exitCode;
    });
    process.stderr.write(`error UNKNOWN: the result could not be written to stdout: ${error.message}\n`);
  });
}
