/** A DNS message that is malformed, or data that no DNS message can carry. The only error the codec throws. */
export class CodecError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "CodecError";
  }
}

/** RFC 1035 §4.2.2: the length prefix of TCP has 16 bits. */
export const maxMessageOctets = 65_535;

/** Cursor over received octets. Every read checks its bounds; `end` keeps RDATA inside its RDLENGTH. */
export class WireReader {
  readonly octets: Uint8Array;
  readonly #view: DataView;
  #offset: number;
  #end: number;

  constructor(octets: Uint8Array, offset = 0, end = octets.length) {
    this.octets = octets;
    this.#view = new DataView(octets.buffer, octets.byteOffset, octets.byteLength);
    this.#offset = offset;
    this.#end = end;
  }

  get offset(): number {
    return this.#offset;
  }

  get end(): number {
    return this.#end;
  }

  get remaining(): number {
    return this.#end - this.#offset;
  }

  /** Steps over `count` octets and returns where they began. */
  skip(count: number): number {
    if (count > this.remaining) throw new CodecError(`message ends inside a field at octet ${this.#offset}`);
    const at = this.#offset;
    this.#offset += count;
    return at;
  }

  u8(): number {
    return this.#view.getUint8(this.skip(1));
  }

  u16(): number {
    return this.#view.getUint16(this.skip(2));
  }

  u32(): number {
    return this.#view.getUint32(this.skip(4));
  }

  u48(): number {
    return this.u16() * 2 ** 32 + this.u32();
  }

  /** A copy, so that a small field does not keep a whole packet buffer alive; `slice` of a Buffer would be a view. */
  bytes(count: number): Uint8Array {
    const at = this.skip(count);
    return new Uint8Array(this.octets.subarray(at, at + count));
  }

  /** Cursor over the next `count` octets alone (pointers still see the whole message); this one steps behind them. */
  window(count: number): WireReader {
    const at = this.skip(count);
    return new WireReader(this.octets, at, at + count);
  }
}

/** Growing output buffer. */
export class WireWriter {
  #buffer = new Uint8Array(512);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  #grow(count: number): number {
    const at = this.#length;
    const wanted = at + count;
    if (wanted > maxMessageOctets) throw new CodecError(`message is longer than ${maxMessageOctets} octets`);
    if (wanted > this.#buffer.length) {
      const bigger = new Uint8Array(Math.max(wanted, this.#buffer.length * 2));
      bigger.set(this.#buffer);
      this.#buffer = bigger;
    }
    this.#length = wanted;
    return at;
  }

  u8(value: number): void {
    const at = this.#grow(1);
    this.#buffer[at] = checked(value, 0xff);
  }

  u16(value: number): void {
    const at = this.#grow(2);
    this.setU16(at, value);
  }

  u32(value: number): void {
    checked(value, 0xffff_ffff);
    this.u16(Math.floor(value / 0x1_0000));
    this.u16(value % 0x1_0000);
  }

  u48(value: number): void {
    checked(value, 0xffff_ffff_ffff);
    this.u16(Math.floor(value / 2 ** 32));
    this.u32(value % 2 ** 32);
  }

  bytes(octets: Uint8Array): void {
    const at = this.#grow(octets.length);
    this.#buffer.set(octets, at);
  }

  /** Overwrites two octets already written (counts, RDLENGTH). */
  setU16(at: number, value: number): void {
    checked(value, 0xffff);
    this.#buffer[at] = value >> 8;
    this.#buffer[at + 1] = value & 0xff;
  }

  finish(): Uint8Array {
    return this.#buffer.slice(0, this.#length);
  }
}

function checked(value: number, max: number): number {
  if (!Number.isInteger(value) || value < 0 || value > max) throw new CodecError(`${value} is not within 0 to ${max}`);
  return value;
}
