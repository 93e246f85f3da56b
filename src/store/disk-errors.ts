import { ConfigError, Dns01Error, TransientError } from "../core/errors.ts";

/** The system's code of a failed file operation ("ENOENT"), or undefined. */
export function errno(error: unknown): string | undefined {
  const code = (error as { readonly code?: unknown } | null)?.code;
  return error instanceof Error && typeof code === "string" ? code : undefined;
}

/** What the system's code means for whoever runs the command, and what to do. */
const meanings: Readonly<Record<string, { readonly says: string; readonly hint: string; readonly later?: true }>> = {
  ENOSPC: {
    says: "the disk is full",
    hint: "Free some space, then run the same command again: an order that was begun is gone on with.",
    later: true,
  },
  EDQUOT: {
    says: "the disk quota is used up",
    hint: "Free some space, then run the same command again: an order that was begun is gone on with.",
    later: true,
  },
  EROFS: {
    says: "the file system is read-only",
    hint: "Name a folder that can be written with --state or DNS01_STATE.",
  },
  EACCES: { says: "permission denied", hint: "" },
  EPERM: { says: "not permitted", hint: "" },
  ENOTDIR: {
    says: "a part of this path is a file, not a folder",
    hint: "Name another folder with --state, or move the file away.",
  },
  ENOENT: {
    says: "it is not there, and this file system makes no folders",
    hint: "Name a folder that can be written with --state or DNS01_STATE.",
  },
  EEXIST: { says: "something else is in the way", hint: "Look at what stands at this path and move it away." },
  ENOTEMPTY: { says: "a folder with files is in the way", hint: "Look at what stands at this path and move it away." },
  EISDIR: {
    says: "it is a folder where a file is expected",
    hint: "Look at what stands at this path and move it away.",
  },
  EFTYPE: {
    says: "it is not a regular file",
    hint: "Look at what stands at this path and move it away.",
  },
  EFBIG: {
    says: "it is larger than any file that dns01 writes there",
    hint: "Look at what stands at this path and move it away.",
  },
  ELOOP: { says: "its symbolic links go in a circle", hint: "Name the folder itself with --state." },
  ENAMETOOLONG: {
    says: "the path is too long for this file system",
    hint: "Use a shorter --state path or a shorter --name.",
  },
  EXDEV: {
    says: "it lies on another file system than the folder above it",
    hint: "Mount the whole state folder, or all of its certificates folder, not a folder below that.",
  },
  EMFILE: { says: "too many open files", hint: "Raise the limit of open files (ulimit -n).", later: true },
  ENFILE: { says: "too many open files in the system", hint: "Try again later.", later: true },
  EIO: { says: "the disk reports an error", hint: "Check the disk and the system log.", later: true },
  ESTALE: { says: "the network file system lost track of it", hint: "Try again; check the mount.", later: true },
  ETIMEDOUT: { says: "the file system does not answer", hint: "Try again; check the mount.", later: true },
  EBUSY: { says: "it is in use", hint: "Try again later.", later: true },
};

/** Our error for a failed file operation; errors that are ours already stay as they are. */
export function diskError(operation: string, path: string, cause: unknown): Error {
  if (Dns01Error.is(cause)) return cause as unknown as Error;
  const code = errno(cause);
  const meaning = code === undefined ? undefined : meanings[code];
  if (code === undefined || meaning === undefined) {
    const said = cause instanceof Error ? cause.message : String(cause);
    return new Dns01Error("UNKNOWN", `cannot ${operation} ${path}: ${said}`, false, { operation, cause });
  }
  const says = `cannot ${operation}: ${meaning.says} (${code})`;
  const hint =
    meaning.hint === "" ? `${whoWeAre()} Name a folder it may use with --state or DNS01_STATE.` : meaning.hint;
  const facts = { operation, hint, details: { path, errno: code }, cause };
  return meaning.later
    ? new TransientError(`${path}: ${says}`, facts)
    : new ConfigError([{ path, message: says }], facts);
}

/** A file that is there and cannot be used. Never treated as absent: that could lose a key or a value in DNS. */
export function damaged(path: string, what: string, hint: string, cause?: unknown): ConfigError {
  return new ConfigError([{ path, message: what }], { operation: "read", hint, details: { path }, cause });
}

function whoWeAre(): string {
  const uid = process.getuid?.();
  return uid === undefined
    ? "Run the command as the user who owns this path."
    : `This process runs as user id ${uid}; run it as the user who owns this path.`;
}
