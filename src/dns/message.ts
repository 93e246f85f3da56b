import type { DomainName } from "../core/name.ts";

/** Mnemonic of a record type, or "TYPE123" (RFC 3597) for those without one here. */
export type RecordType =
  | "A"
  | "NS"
  | "CNAME"
  | "SOA"
  | "PTR"
  | "MX"
  | "TXT"
  | "AAAA"
  | "SRV"
  | "DNAME"
  | "OPT"
  | "DS"
  | "RRSIG"
  | "DNSKEY"
  | "TSIG"
  | "IXFR"
  | "AXFR"
  | "ANY"
  | "CAA"
  | `TYPE${number}`;

export type RecordClass = "IN" | "CH" | "NONE" | "ANY" | `CLASS${number}`;

/** Mnemonic of an RCODE, extended ones included (RFC 6895 §2.3), or "RCODE123". */
export type Rcode =
  | "NOERROR"
  | "FORMERR"
  | "SERVFAIL"
  | "NXDOMAIN"
  | "NOTIMP"
  | "REFUSED"
  | "YXDOMAIN"
  | "YXRRSET"
  | "NXRRSET"
  | "NOTAUTH"
  | "NOTZONE"
  | "BADVERS"
  | `RCODE${number}`;

export type Opcode = "QUERY" | "NOTIFY" | "UPDATE" | `OPCODE${number}`;

export interface Question {
  readonly name: DomainName;
  readonly type: RecordType;
  readonly class: RecordClass;
}

interface RecordHead {
  readonly name: DomainName;
  readonly class: RecordClass;
  readonly ttl: number;
}

/** A resource record. `empty` is one without RDATA, as UPDATE uses them (RFC 2136 §2.4–2.5). */
export type ResourceRecord = RecordHead &
  (
    | { readonly type: "A" | "AAAA"; readonly address: string }
    | { readonly type: "NS" | "CNAME" | "DNAME" | "PTR"; readonly target: DomainName }
    | {
        readonly type: "SOA";
        readonly mname: DomainName;
        readonly rname: DomainName;
        readonly serial: number;
        readonly refresh: number;
        readonly retry: number;
        readonly expire: number;
        readonly minimum: number;
      }
    | { readonly type: "TXT"; readonly strings: readonly Uint8Array[] }
    | { readonly type: "CAA"; readonly flags: number; readonly tag: string; readonly value: Uint8Array }
    | { readonly type: RecordType; readonly empty: true }
    | { readonly type: RecordType; readonly rdata: Uint8Array }
  );

/** EDNS(0), RFC 6891. */
export interface Edns {
  readonly udpSize: number;
  readonly version: number;
  readonly dnssecOk: boolean;
  readonly options: readonly { readonly code: number; readonly data: Uint8Array }[];
}

/** TSIG, RFC 8945 §4.2. `timeSigned` and `fudge` in seconds. */
export interface Tsig {
  readonly keyName: DomainName;
  readonly algorithm: DomainName;
  readonly timeSigned: number;
  readonly fudge: number;
  readonly mac: Uint8Array;
  readonly originalId: number;
  /** 0, or 16 BADSIG, 17 BADKEY, 18 BADTIME, 22 BADTRUNC. */
  readonly error: number;
  readonly other: Uint8Array;
}

/** A DNS message; in an UPDATE the sections are zone, prerequisite, update, additional (RFC 2136 §2.2). */
export interface Message {
  readonly id: number;
  readonly response: boolean;
  readonly opcode: Opcode;
  readonly authoritative: boolean;
  readonly truncated: boolean;
  readonly recursionDesired: boolean;
  readonly recursionAvailable: boolean;
  readonly authenticData: boolean;
  readonly checkingDisabled: boolean;
  /** With the high bits from OPT already combined. */
  readonly rcode: Rcode;
  readonly questions: readonly Question[];
  readonly answers: readonly ResourceRecord[];
  readonly authorities: readonly ResourceRecord[];
  readonly additionals: readonly ResourceRecord[];
  readonly edns?: Edns | undefined;
  readonly tsig?: Tsig | undefined;
}
