import { open } from "node:fs/promises";

const megabyte = 1024 * 1024;

/** Of a configuration file: ten thousand certificates take less than one. */
export const configLimit = 16 * megabyte;

/** Of a file with one secret. */
export const secretLimit = megabyte;

/** A whole file, but no device and nothing else that does not end; over `limit` octets it fails with EFBIG. */
export async function readLimited(path: string, limit: number): Promise<Buffer> {
  const file = await open(path);
  try {
    const chunks: Buffer[] = [];
    for (let total = 0; ; ) {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(Math.min(limit + 1 - total, megabyte)));
      if (bytesRead === 0) return Buffer.concat(chunks);
      chunks.push(buffer.subarray(0, bytesRead));
      total += bytesRead;
      if (total > limit)
        throw Object.assign(new Error(`it has more than ${limit / megabyte} MB`), { code: "EFBIG", path });
    }
  } finally {
    await file.close();
  }
}
