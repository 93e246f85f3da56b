import { isIP } from "node:net";

export interface BindAddress {
  /** Undefined: every address of the machine. */
  readonly host: string | undefined;
  readonly port: number;
}

/** ":9402", "127.0.0.1:9402", "[::1]:9402", "9402"; undefined for what is none of them. */
export function parseBindAddress(text: string): BindAddress | undefined {
  const match = /^(?:\[([^\]]*)\]:|([^:[\]]*):)?(\d{1,5})$/.exec(text);
  if (match === null) return undefined;
  const port = Number(match[3]);
  const host = hostOf(match[1] ?? match[2] ?? "");
  return host === null || port > 65_535 ? undefined : { host, port };
}

/** An address to listen at; undefined for every one, null for what is none. */
export function hostOf(text: string): string | undefined | null {
  if (text === "" || text === "::") return undefined;
  return isIP(text) === 0 ? null : text;
}
