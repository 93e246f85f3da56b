import { constants, type Stats } from "node:fs";
import { type FileHandle, open, stat } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";

const megabyte = 1024 * 1024;

/** Most files are smaller than this, and a thousand of them are read at once. */
const firstRead = 16 * 1024;

/** For open(2): a pipe without a writer does not block it. Windows has no such flag, and no pipes among its files. */
export const unblocked = constants.O_RDONLY | (process.platform === "win32" ? 0 : constants.O_NONBLOCK);

/** Of a configuration file: ten thousand certificates take less than one. */
export const configLimit = 16 * megabyte;

/** Of a file in the state folder: the longest is the journal page of an order, with a few hundred bytes for each name. */
export const stateLimit = 16 * megabyte;

/** Of a file with one secret. */
export const secretLimit = megabyte;

/** A pipe into which nobody writes is given up after this; the shell opens the one it writes into first of all. */
const noWriterMs = 1_000;

/** A writer may have to ask somebody before it has a secret to give. */
const silentWriterMs = 60_000;

/** A whole file or pipe, but no device and nothing else that does not end; over `limit` octets it fails with EFBIG. */
export async function readLimited(path: string, limit: number): Promise<Buffer> {
  const pipe = await isPipe(path);
  // To open a pipe that has no writer waits for ever, in a thread that no signal ends.
  const file = await open(path, pipe ? unblocked : constants.O_RDONLY);
  try {
    return await readAll(path, limit, async (space, isFirst) =>
      pipe ? await readPipe(file, space, isFirst) : (await file.read(space)).bytesRead,
    );
  } finally {
    await file.close();
  }
}

/**
 * A regular file and nothing else: fails with EISDIR, with EFTYPE for a pipe or a device, and over `limit` with EFBIG.
 * `onStats` gets what the system says of the open file.
 */
export async function readRegular(path: string, limit: number, onStats?: (found: Stats) => void): Promise<Buffer> {
  const file = await open(path, unblocked);
  try {
    const found = await file.stat();
    if (!found.isFile()) {
      const code = found.isDirectory() ? "EISDIR" : "EFTYPE";
      throw Object.assign(new Error("it is not a regular file"), { code, path });
    }
    onStats?.(found);
    return await readAll(path, limit, async (space) => (await file.read(space)).bytesRead);
  } finally {
    await file.close();
  }
}

/** `read` fills the space and returns the number of octets; 0 at the end. */
async function readAll(
  path: string,
  limit: number,
  read: (space: Buffer, isFirst: boolean) => Promise<number>,
): Promise<Buffer> {
  const full: Buffer[] = [];
  let space = Buffer.alloc(Math.min(limit + 1, firstRead));
  let filled = 0;
  for (let total = 0; ; ) {
    if (filled === space.length) {
      full.push(space);
      space = Buffer.alloc(Math.min(limit + 1 - total, megabyte));
      filled = 0;
    }
    // Into what is left of it: the read that finds the end must not cost another megabyte for each small file.
    const bytesRead = await read(space.subarray(filled), total === 0);
    if (bytesRead === 0) return Buffer.concat([...full, space.subarray(0, filled)]);
    filled += bytesRead;
    total += bytesRead;
    if (total > limit)
      throw Object.assign(new Error(`it has more than ${limit / megabyte} MB`), { code: "EFBIG", path });
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
