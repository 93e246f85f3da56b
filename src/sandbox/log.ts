import type { DomainName } from "../core/name.ts";
import type { Rcode, RecordType } from "../dns/message.ts";

/** What happened, with the time of day in milliseconds (fractions kept), so that several processes can be compared. */
export type LogEntry =
  | {
      readonly kind: "acme";
      readonly at: number;
      readonly method: string;
      readonly path: string;
      /** 0 when the connection was cut instead of answered. */
      readonly status: number;
      /** Type of the problem document, without the common prefix. */
      readonly problem?: string | undefined;
      readonly fault?: string | undefined;
    }
  | {
      readonly kind: "query";
      readonly at: number;
      readonly server: string;
      readonly address: string;
      readonly transport: "udp" | "tcp";
      readonly name: DomainName;
      readonly type: RecordType;
      /** Undefined when no reply was sent. */
      readonly rcode?: Rcode | undefined;
      readonly answers: number;
      readonly fault?: string | undefined;
    }
  | {
      readonly kind: "update";
      readonly at: number;
      readonly server: string;
      readonly transport: "udp" | "tcp";
      readonly zone: DomainName;
      /** "+ _acme-challenge.example.test TXT …" and "- …", as asked for. */
      readonly changes: readonly string[];
      /** Undefined when it was not carried out and no reply was sent. */
      readonly rcode?: Rcode | undefined;
      readonly serial?: number | undefined;
      readonly fault?: string | undefined;
    }
  | {
      readonly kind: "validation";
      readonly at: number;
      readonly identifier: string;
      readonly owner: DomainName;
      readonly valid: boolean;
      readonly detail: string;
    };

export interface RequestLog {
  readonly entries: readonly LogEntry[];
  add(entry: LogEntry): void;
  clear(): void;
}

/** Milliseconds since 1970 with sub-millisecond digits, steady within the process. */
export function timeOfDay(): number {
  return performance.timeOrigin + performance.now();
}

/** Keeps the latest entries; a sandbox that runs for days must not grow. */
export function makeLog(onEntry?: (entry: LogEntry) => void, keep = 20_000): RequestLog {
  const entries: LogEntry[] = [];
  return {
    entries,
    add(entry) {
      entries.push(entry);
      if (entries.length > keep) entries.splice(0, keep / 10);
      onEntry?.(entry);
    },
    clear: () => void entries.splice(0),
  };
}

/** One line for a person. */
export function describeEntry(entry: LogEntry): string {
  const mark = "fault" in entry && entry.fault !== undefined ? ` (fault: ${entry.fault})` : "";
  switch (entry.kind) {
    case "acme":
      return `acme   ${entry.method} ${entry.path}: ${entry.status === 0 ? "cut off" : entry.status}${entry.problem === undefined ? "" : ` ${entry.problem}`}${mark}`;
    case "query":
      return `query  ${entry.server} ${entry.transport} ${entry.name} ${entry.type}: ${entry.rcode ?? "no reply"}, ${entry.answers} answers${mark}`;
    case "update":
      return `update ${entry.server} ${entry.zone}: ${entry.changes.join(", ")}: ${entry.rcode ?? "not done"}, serial ${entry.serial ?? "unknown"}${mark}`;
    case "validation":
      return `check  ${entry.identifier}: ${entry.valid ? "valid" : "invalid"}: ${entry.detail}`;
  }
}
