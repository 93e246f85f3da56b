/** Names of the headers that carry who calls, as the cluster configures them. */
export interface IdentityHeaders {
  readonly user: readonly string[];
  readonly uid: readonly string[];
  readonly group: readonly string[];
  readonly extraPrefix: readonly string[];
}

export const defaultIdentityHeaders: IdentityHeaders = {
  user: ["X-Remote-User"],
  uid: ["X-Remote-Uid"],
  group: ["X-Remote-Group"],
  extraPrefix: ["X-Remote-Extra-"],
};

/** Who the aggregator says is calling. */
export interface Identity {
  readonly user: string;
  readonly uid: string | undefined;
  readonly groups: readonly string[];
  readonly extra: Readonly<Record<string, readonly string[]>>;
}

/**
 * Reads the identity from the headers as they came: names and values in turn, repeated ones apart (a joined
 * `x-remote-group` would be one group of an odd name). Undefined without exactly one user.
 */
export function readIdentity(rawHeaders: readonly string[], names: IdentityHeaders): Identity | undefined {
  const groups: string[] = [];
  const users: string[] = [];
  const uids: string[] = [];
  const extra = new Map<string, string[]>();
  const { kinds, extraPrefix } = lower(names);
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const name = (rawHeaders[at] ?? "").toLowerCase();
    const value = rawHeaders[at + 1] ?? "";
    const kind = kinds.get(name);
    if (kind === "user") users.push(utf8(value));
    else if (kind === "group") groups.push(utf8(value));
    else if (kind === "uid") uids.push(utf8(value));
    else {
      const prefix = extraPrefix.find((p) => name.startsWith(p) && name.length > p.length);
      if (prefix !== undefined) add(extra, decoded(name.slice(prefix.length)), utf8(value));
    }
  }
  const [user = "", second] = users.filter((value) => value !== "");
  // Two would leave open whom the aggregator meant.
  if (user === "" || second !== undefined) return undefined;
  return { user, uid: uids.find((value) => value !== ""), groups, extra: Object.fromEntries(extra) };
}

interface Lowered {
  readonly kinds: ReadonlyMap<string, "user" | "group" | "uid">;
  readonly extraPrefix: readonly string[];
}

const lowered = new WeakMap<IdentityHeaders, Lowered>();

function lower(names: IdentityHeaders): Lowered {
  const known = lowered.get(names);
  if (known !== undefined) return known;
  const kinds = new Map<string, "user" | "group" | "uid">();
  // The first meaning of a name counts.
  for (const kind of ["uid", "group", "user"] as const)
    for (const name of names[kind]) kinds.set(name.toLowerCase(), kind);
  const made = { kinds, extraPrefix: names.extraPrefix.map((name) => name.toLowerCase()) };
  lowered.set(names, made);
  return made;
}

/** Go sends UTF-8, Node reads Latin-1. */
function utf8(value: string): string {
  return /[\x80-\xff]/.test(value) ? Buffer.from(value, "latin1").toString("utf8") : value;
}

/** `authentication.kubernetes.io%2fcredential-id`; what is no encoding stays as it is. */
function decoded(name: string): string {
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}

function add(extra: Map<string, string[]>, name: string, value: string): void {
  const before = extra.get(name);
  if (before === undefined) extra.set(name, [value]);
  else before.push(value);
}
