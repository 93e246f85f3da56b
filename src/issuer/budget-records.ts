import { createLock } from "../core/lock.ts";
import type { Level } from "./budget-limits.ts";
import type { BudgetStore } from "./ports.ts";

/** Nothing is tried before `until`; instants are milliseconds of the wall clock. */
export interface Pause {
  readonly until: number;
  readonly reason: string;
}

export interface CaRecord {
  readonly orders?: Level | undefined;
  /** The CA asked for silence. */
  readonly limited?: Pause | undefined;
  /** Failures to reach it in a row, and the pause they brought. */
  readonly outages?: number | undefined;
  readonly outage?: Pause | undefined;
}

export interface NameRecord {
  readonly failedAt: number;
  readonly failures: Level;
  readonly consecutive?: Level | undefined;
}

/** One registered domain at one CA. */
export interface DomainRecord {
  readonly names: Readonly<Record<string, NameRecord>>;
  /** By the sorted names. */
  readonly sets: Readonly<Record<string, Level>>;
  readonly certificates?: Level | undefined;
  readonly limited?: Pause | undefined;
}

export interface Row {
  readonly failures: number;
  readonly retryAt: number;
  readonly code: string;
}

/** Failures in a row of one certificate: at each CA, and on the way to it. */
export interface CertificateRecord {
  readonly cas: Readonly<Record<string, Row>>;
  readonly local?: Row | undefined;
}

/** A change happens under a lock of this process: nothing comes between what it has read and what it writes. */
export interface Records {
  ca(directoryUrl: string): Promise<CaRecord>;
  changeCa(directoryUrl: string, change: (record: CaRecord) => CaRecord): Promise<void>;
  domain(directoryUrl: string, domain: string): Promise<DomainRecord>;
  changeDomain(directoryUrl: string, domain: string, change: (record: DomainRecord) => DomainRecord): Promise<void>;
  certificate(name: string): Promise<CertificateRecord>;
  changeCertificate(name: string, change: (record: CertificateRecord) => CertificateRecord): Promise<void>;
}

const noCa: CaRecord = {};
const noDomain: DomainRecord = { names: {}, sets: {} };
export const noCertificate: CertificateRecord = { cas: {} };

/** The budget's records over whatever keeps them: read anew each time, since `renew` and `run` share them. */
export function openRecords(store: BudgetStore, now: () => number): Records {
  const lock = createLock();
  const patient = new AbortController().signal;

  async function read<T extends object>(folder: string, key: string, none: T): Promise<T> {
    const kept = await store.load(folder, key);
    if (!isRecord(kept) || !isRecord(kept["record"]) || typeof kept["at"] !== "number") return none;
    const record = kept["record"];
    const future = kept["at"] - now();
    // Written under a clock that was ahead: what was to last an hour still lasts an hour, and no longer.
    const settled = future <= 1000 ? record : (shifted(record, future) as Record<string, unknown>);
    if (settled !== record) await store.save(folder, key, { at: now(), record: settled });
    return { ...none, ...settled };
  }

  async function change<T extends object>(folder: string, key: string, none: T, by: (record: T) => T): Promise<void> {
    await lock.hold([`${folder}\n${key}`], patient, async () => {
      const before = await read(folder, key, none);
      const after = by(before);
      const isEmpty = isEqual(after, none);
      if (isEqual(after, before) && (isEmpty || before !== none)) return;
      if (isEmpty) await store.remove(folder, key);
      else await store.save(folder, key, { at: now(), record: after });
    });
  }

  return {
    ca: (url) => read("cas", url, noCa),
    changeCa: (url, by) => change("cas", url, noCa, by),
    domain: (url, domain) => read(`domains of ${url}`, domain, noDomain),
    changeDomain: (url, domain, by) => change(`domains of ${url}`, domain, noDomain, by),
    certificate: (name) => read("certificates", name, noCertificate),
    changeCertificate: (name, by) => change("certificates", name, noCertificate, by),
  };
}

/** Every member that is an instant, earlier by `ms`. */
function shifted(value: unknown, ms: number): unknown {
  if (!isRecord(value)) return value;
  const isInstant = (key: string, x: unknown): x is number =>
    typeof x === "number" && ["at", "until", "retryAt", "failedAt"].includes(key);
  return Object.fromEntries(
    Object.entries(value).map(([key, x]) => [key, isInstant(key, x) ? x - ms : shifted(x, ms)]),
  );
}

/** As files say it: a member without a value is none. */
function isEqual(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (!isRecord(a) || !isRecord(b)) return false;
  for (const key in a) if (!isEqual(a[key], b[key])) return false;
  for (const key in b) if (b[key] !== undefined && a[key] === undefined) return false;
  return true;
}

function isRecord(x: unknown): x is Record<string, unknown> {
  return typeof x === "object" && x !== null && !Array.isArray(x);
}
