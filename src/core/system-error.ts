/** The system's codes in words, without the code: what a user can act on is the cause, not its name in errno.h. */
const words: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connection refused",
  ECONNRESET: "connection reset",
  ECONNABORTED: "connection aborted",
  EPIPE: "connection closed",
  ETIMEDOUT: "no answer, timed out",
  UND_ERR_CONNECT_TIMEOUT: "no answer, timed out",
  EHOSTUNREACH: "no route to the host",
  EHOSTDOWN: "the host is down",
  ENETUNREACH: "no route to the network",
  ENETDOWN: "the network is down",
  ENOTFOUND: "the name does not resolve",
  EAI_AGAIN: "this machine's resolver does not answer",
  EADDRINUSE: "the address is already in use",
  EADDRNOTAVAIL: "not an address of this machine",
  EAFNOSUPPORT: "this machine does not support the address family",
  EACCES: "permission denied",
  EPERM: "not permitted",
  ENOENT: "no such file or folder",
  ENOTDIR: "a part of the path is a file",
  EISDIR: "it is a folder",
  EROFS: "the file system is read-only",
  ENOSPC: "the disk is full",
  ELOOP: "its symbolic links go in a circle",
  EMFILE: "too many open files",
  ENFILE: "too many open files in the system",
};

/** Returns a system's code in words; the code itself where there are none. */
export function codeText(code: string): string {
  return words[code] ?? code;
}

/**
 * Returns a failure of the system in words, with the host, address or path it is about: Node's own text repeats the code
 * and, for some, the port on our side. Undefined for any other error.
 */
export function systemText(error: Error): string | undefined {
  const { code, address, port, hostname, path } = error as Readonly<Record<string, unknown>> & Error;
  const text = typeof code === "string" && "syscall" in error ? words[code] : undefined;
  if (text === undefined) return undefined;
  // "EACCES: permission denied, open '/etc/dns01'" is in words already.
  const [, ownWords] = /^E[A-Z0-9]+: (.+)$/s.exec(error.message) ?? [];
  const where = typeof address === "string" && typeof port === "number" ? `${bracketed(address)}:${port}` : address;
  const subject = [hostname, where, path].find((part) => typeof part === "string");
  return ownWords ?? (subject === undefined ? text : `${subject}: ${text}`);
}

function bracketed(address: string): string {
  return address.includes(":") ? `[${address}]` : address;
}
