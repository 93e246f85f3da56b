import { randomBytes } from "node:crypto";

/** Anti-replay nonces (RFC 8555 §6.5): each is good for one request. */
export interface Nonces {
  issue(): string;
  /** True once for every issued nonce, unless so many came after it that it was forgotten. */
  redeem(nonce: string): boolean;
}

export function makeNonces(keep = 10_000): Nonces {
  const open = new Set<string>();
  return {
    issue() {
      const nonce = randomBytes(16).toString("base64url");
      open.add(nonce);
      const [oldest] = open;
      if (open.size > keep && oldest !== undefined) open.delete(oldest);
      return nonce;
    },
    redeem: (nonce) => open.delete(nonce),
  };
}
