import { createSocket } from "node:dgram";
import packet, { type Answer, type DecodedPacket } from "dns-packet";

/** Where a server listens. */
export interface At {
  readonly address: string;
  readonly port: number;
}

/**
 * One question over UDP, asked and read by dns-packet: the judge of these tests shares no code with what it judges.
 * Undefined when nothing comes within `timeoutMs`.
 */
export function dig(
  to: At,
  name: string,
  type: "TXT" | "SOA" | "NS" | "A" | "CNAME" | "CAA",
  options: { readonly timeoutMs?: number; readonly recursion?: boolean; readonly tries?: number } = {},
): Promise<DecodedPacket | undefined> {
  const { timeoutMs = 400, recursion = false, tries = 1 } = options;
  const id = Math.floor(Math.random() * 0xffff);
  const query = packet.encode({
    type: "query",
    id,
    flags: recursion ? packet.RECURSION_DESIRED : 0,
    questions: [{ type, name }],
    additionals: [
      {
        type: "OPT",
        name: ".",
        udpPayloadSize: 4096,
        extendedRcode: 0,
        ednsVersion: 0,
        flags: 0,
        flag_do: false,
        options: [],
      },
    ],
  });
  const once = new Promise<DecodedPacket | undefined>((resolve) => {
    const socket = createSocket("udp4");
    const done = (value: DecodedPacket | undefined) => {
      clearTimeout(timer);
      socket.close();
      resolve(value);
    };
    const timer = setTimeout(() => done(undefined), timeoutMs);
    socket.on("error", () => done(undefined));
    socket.on("message", (message) => {
      const answer = decode(message);
      if (answer?.id === id) done(answer);
    });
    socket.connect(to.port, to.address, () => socket.send(query));
  });
  return once.then((answer) =>
    answer === undefined && tries > 1 ? dig(to, name, type, { ...options, tries: tries - 1 }) : answer,
  );
}

function decode(message: Buffer): DecodedPacket | undefined {
  try {
    return packet.decode(message);
  } catch {
    return undefined;
  }
}

/** The TXT values at exactly `name`, each with its strings joined, sorted. Throws when the server does not answer. */
export async function txtValues(at: At, name: string): Promise<readonly string[]> {
  const answer = await dig(at, name, "TXT", { tries: 3 });
  if (answer === undefined) throw new Error(`${at.address}@${at.port} does not answer for TXT ${name}`);
  const values = (answer.answers ?? []).flatMap((record) => (isTxtAt(record, name) ? [joined(record)] : []));
  return values.sort();
}

/** The zone's serial, or undefined when the server does not serve the zone. */
export async function serial(at: At, zone: string, tries = 1): Promise<number | undefined> {
  const answer = await dig(at, zone, "SOA", { tries });
  for (const record of answer?.answers ?? []) if (record.type === "SOA") return record.data.serial;
  return undefined;
}

function isTxtAt(record: Answer, name: string): boolean {
  return record.type === "TXT" && record.name.toLowerCase() === name.toLowerCase();
}

function joined(record: Answer): string {
  if (record.type !== "TXT") return "";
  const parts = Array.isArray(record.data) ? record.data : [record.data];
  return parts.map((part) => part.toString()).join("");
}
