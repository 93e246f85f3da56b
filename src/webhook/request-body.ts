import type { IncomingMessage } from "node:http";
import { Refusal } from "./refusal.ts";

/** As API servers have it. */
export const MAX_BODY_BYTES = 3 * 1024 * 1024;
/** So much more is read and dropped, so that the client hears why instead of a broken connection. */
const MAX_DROPPED_BYTES = 32 * 1024 * 1024;

/** The body as bytes. Throws Refusal for one that is too large, and an Error when the client goes away. */
export function readBody(req: IncomingMessage): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const tooLarge = () => new Refusal(413, `the body is larger than ${MAX_BODY_BYTES} bytes`, { connection: "close" });
    req.on("data", (chunk: Buffer) => {
      size += chunk.length;
      if (size <= MAX_BODY_BYTES) {
        chunks.push(chunk);
        return;
      }
      chunks.length = 0;
      if (size > MAX_DROPPED_BYTES) {
        req.pause();
        reject(tooLarge());
      }
    });
    req.on("end", () => (size > MAX_BODY_BYTES ? reject(tooLarge()) : resolve(Buffer.concat(chunks, size))));
    req.on("error", reject);
    req.on("close", () => {
      if (!req.complete) reject(new Error("the client went away"));
    });
  });
}
