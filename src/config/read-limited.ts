import { constants } from "node:fs";
import { type FileHandle, open, stat } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";

const megabyte = 1024 * 1024;

/** Of a configuration file: ten thousand certificates take less than one. */
export const configLimit = 16 * megabyte;

/** Of a file with one secret. */
export const secretLimit = megabyte;

/** A pipe into which nobody writes is given up after this; the shell opens the one it writes into first of all. */
const noWriterMs = 1_000;

/** A writer may have to ask somebody before it has a secret to give. */
const silentWriterMs = 60_000;

/** A whole file, but no device and nothing else that does not end; over `limit` octets it fails with EFBIG. */
export async function readLimited(path: string, limit: number): Promise<Buffer> {
  const pipe = await isPipe(path);
  // To open a pipe that nobody writes into waits for ever, in a thread that no signal ends.
  const file = await open(path, pipe ? constants.O_RDONLY | constants.O_NONBLOCK : constants.O_RDONLY);
  try {
    const chunks: Buffer[] = [];
    for (let total = 0; ; ) {
      const space = Buffer.alloc(Math.min(limit + 1 - total, megabyte));
      const bytesRead = pipe ? await readPipe(file, space, total === 0) : (await file.read(space)).bytesRead;
      if (bytesRead === 0) return Buffer.concat(chunks);
      chunks.push(space.subarray(0, bytesRead));
      total += bytesRead;
      if (total > limit)
        throw Object.assign(new Error(`it has more than ${limit / megabyte} MB`), { code: "EFBIG", path });
    }
  } finally {
    await file.close();
  }
}

/** A named pipe, or one that a shell made for `<(command)`: what it gives, it gives once. */
export async function isPipe(path: string): Promise<boolean> {
  const there = await stat(path).catch(() => undefined);
  return there?.isFIFO() === true;
}

/** The next octets of a pipe; 0 at its end. An end before the first octet is a writer that is not there yet. */
async function readPipe(file: FileHandle, space: Buffer, isFirst: boolean): Promise<number> {
  const since = performance.now();
  for (;;) {
    const bytesRead = await file.read(space).then(
      (read) => read.bytesRead,
      (error: unknown) => {
        if (error instanceof Error && "code" in error && error.code === "EAGAIN") return undefined;
        throw error;
      },
    );
    if (bytesRead !== undefined && (bytesRead > 0 || !isFirst)) return bytesRead;
    const waited = performance.now() - since;
    if (bytesRead === 0 && waited >= noWriterMs) throw new Error("it is a pipe, and nobody writes into it");
    if (waited >= silentWriterMs) throw new Error("it is a pipe, and who writes into it says nothing");
    await sleep(20);
  }
}
