import { createHmac, timingSafeEqual } from "node:crypto";
import { decodeMessage } from "./decode.ts";
import { writeTsig } from "./encode.ts";
import type { Tsig } from "./message.ts";
import { algorithmName, hashOf, type TsigKey } from "./tsig-key.ts";
import { WireReader, WireWriter } from "./wire.ts";
import { nameOctets, readName } from "./wire-name.ts";

/** RFC 8945 §3. */
export const tsigError = { badSig: 16, badKey: 17, badTime: 18, badTrunc: 22 } as const;

/** RFC 8945 §10 recommends 300 seconds. */
const defaultFudge = 300;

export interface SignOptions {
  /** Seconds since 1970, by the signer's clock. */
  readonly now: number;
  readonly fudge?: number | undefined;
  /** MAC of the request this message answers (RFC 8945 §5.3). */
  readonly requestMac?: Uint8Array | undefined;
  readonly error?: number | undefined;
  readonly other?: Uint8Array | undefined;
}

/** Puts a TSIG record at the end of a whole message. The octets go out as they are: any change breaks the MAC. */
export function signTsig(
  octets: Uint8Array,
  key: TsigKey,
  options: SignOptions,
): { readonly octets: Uint8Array; readonly mac: Uint8Array } {
  const unsigned: Tsig = {
    keyName: key.name,
    algorithm: algorithmName(key.algorithm),
    timeSigned: options.now,
    fudge: options.fudge ?? defaultFudge,
    mac: new Uint8Array(),
    originalId: new WireReader(octets).u16(),
    error: options.error ?? 0,
    other: options.other ?? new Uint8Array(),
  };
  const mac = macOf(octets, unsigned, key, options.requestMac);
  return { octets: appendTsig(octets, { ...unsigned, mac }), mac };
}

/**
 * What the TSIG of a received message is worth. `badkey`: no such key with that algorithm. `badtime`: the MAC is right,
 * but the clocks are further apart than `fudge`. `malformed`: answer FORMERR (RFC 8945 §5.2).
 */
export type TsigVerdict =
  | { readonly status: "unsigned" }
  | { readonly status: "malformed" }
  | { readonly status: "badkey" | "badsig"; readonly tsig: Tsig }
  | { readonly status: "ok" | "badtime" | "badtrunc"; readonly tsig: Tsig; readonly key: TsigKey };

export interface VerifyOptions {
  /** Seconds since 1970. */
  readonly now: number;
  /** When verifying an answer: the MAC its request was signed with. */
  readonly requestMac?: Uint8Array | undefined;
  /** Shorter MACs are `badtrunc`. Default and least: half of the hash, at least 10 octets (RFC 8945 §5.2.2.1). */
  readonly minMacOctets?: number | undefined;
}

/** Checks key, MAC, time and truncation, in the order of RFC 8945 §5.2. Throws CodecError for octets that are no message. */
export function verifyTsig(octets: Uint8Array, keys: readonly TsigKey[], options: VerifyOptions): TsigVerdict {
  const { tsig } = decodeMessage(octets);
  if (tsig === undefined) return { status: "unsigned" };
  const key = keys.find((k) => k.name === tsig.keyName && algorithmName(k.algorithm) === tsig.algorithm);
  if (key === undefined) return { status: "badkey", tsig };
  const full = hashOf(key.algorithm).octets;
  if (tsig.mac.length === 0) return { status: "badsig", tsig };
  if (tsig.mac.length > full || tsig.mac.length < Math.max(10, full / 2)) return { status: "malformed" };
  const expected = macOf(withoutTsig(octets, tsig.originalId), tsig, key, options.requestMac);
  if (!timingSafeEqual(expected.subarray(0, tsig.mac.length), tsig.mac)) return { status: "badsig", tsig };
  if (Math.abs(options.now - tsig.timeSigned) > tsig.fudge) return { status: "badtime", tsig, key };
  if (tsig.mac.length < (options.minMacOctets ?? 0)) return { status: "badtrunc", tsig, key };
  return { status: "ok", tsig, key };
}

/**
 * Signs a server's answer as its request deserves (RFC 8945 §5.3.2): BADKEY and BADSIG go out with an empty MAC, BADTIME
 * is signed and carries the server's clock, an unsigned request gets an unsigned answer.
 */
export function answerTsig(answer: Uint8Array, request: TsigVerdict, now: number): Uint8Array {
  switch (request.status) {
    case "unsigned":
    case "malformed":
      return answer;
    case "badkey":
    case "badsig": {
      const error = request.status === "badkey" ? tsigError.badKey : tsigError.badSig;
      const { keyName, algorithm, timeSigned, fudge } = request.tsig;
      const originalId = new WireReader(answer).u16();
      const empty = new Uint8Array();
      return appendTsig(answer, { keyName, algorithm, timeSigned, fudge, mac: empty, originalId, error, other: empty });
    }
    case "badtime": {
      const { timeSigned, fudge, mac } = request.tsig;
      // The client could not accept our time: the answer carries its own, and ours as data (§5.2.3).
      const clock = new WireWriter();
      clock.u48(now);
      const error = tsigError.badTime;
      return signTsig(answer, request.key, { now: timeSigned, fudge, requestMac: mac, error, other: clock.finish() })
        .octets;
    }
    case "badtrunc":
    case "ok": {
      const error = request.status === "ok" ? 0 : tsigError.badTrunc;
      return signTsig(answer, request.key, { now, requestMac: request.tsig.mac, error }).octets;
    }
  }
}

/** Seconds since 1970 on the server's clock, from the answer to a request it refused for BADTIME. */
export function serverClockOf(tsig: Tsig): number | undefined {
  return tsig.error === tsigError.badTime && tsig.other.length === 6 ? new WireReader(tsig.other).u48() : undefined;
}

/** RFC 8945 §4.3. Names are in lower case by their type, as §4.3.3 wants them. */
function macOf(message: Uint8Array, tsig: Tsig, key: TsigKey, requestMac: Uint8Array | undefined): Uint8Array {
  const digest = new WireWriter();
  if (requestMac !== undefined) {
    digest.u16(requestMac.length);
    digest.bytes(requestMac);
  }
  const variables = new WireWriter();
  variables.bytes(nameOctets(tsig.keyName));
  variables.u16(255);
  variables.u32(0);
  variables.bytes(nameOctets(tsig.algorithm));
  variables.u48(tsig.timeSigned);
  variables.u16(tsig.fudge);
  variables.u16(tsig.error);
  variables.u16(tsig.other.length);
  variables.bytes(tsig.other);
  const hmac = createHmac(hashOf(key.algorithm).name, key.secret)
    .update(digest.finish())
    .update(message)
    .update(variables.finish());
  return new Uint8Array(hmac.digest());
}

function appendTsig(octets: Uint8Array, tsig: Tsig): Uint8Array {
  const reader = new WireReader(octets);
  reader.skip(10);
  const additionals = reader.u16();
  const writer = new WireWriter();
  writer.bytes(octets);
  writer.setU16(10, additionals + 1);
  writeTsig(writer, tsig);
  return writer.finish();
}

/** The message as it was signed: the last record cut off, ARCOUNT lowered, the original id (RFC 8945 §5.1). */
function withoutTsig(octets: Uint8Array, originalId: number): Uint8Array {
  const reader = new WireReader(octets);
  reader.skip(4);
  const [questions, answers, authorities, additionals] = [reader.u16(), reader.u16(), reader.u16(), reader.u16()];
  for (let i = 0; i < questions; i++) {
    readName(reader);
    reader.skip(4);
  }
  for (let i = 0; i < answers + authorities + additionals - 1; i++) {
    readName(reader);
    reader.skip(8);
    reader.skip(reader.u16());
  }
  const writer = new WireWriter();
  writer.bytes(octets.subarray(0, reader.offset));
  writer.setU16(0, originalId);
  writer.setU16(10, additionals - 1);
  return writer.finish();
}
