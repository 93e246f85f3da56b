import { isIPv6 } from "node:net";
import fc from "fast-check";
import { expect, test } from "vitest";
import { ipv4Octets, ipv6Octets, ipv6Text } from "../../src/dns/ip.ts";
import { CodecError } from "../../src/dns/wire.ts";

test.each([
  ["::", "::"],
  ["::1", "::1"],
  ["2001:DB8:0:0:8:800:200C:417A", "2001:db8::8:800:200c:417a"],
  ["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
  ["2001:0:0:1:0:0:0:1", "2001:0:0:1::1"],
  ["2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
  ["fe80::", "fe80::"],
  ["::ffff:192.0.2.1", "::ffff:c000:201"],
  ["64:ff9b::192.0.2.33", "64:ff9b::c000:221"],
])("the IPv6 address %s is written %s", (text, canonical) => {
  expect(ipv6Text(ipv6Octets(text))).toBe(canonical);
});

test("an IPv6 address comes back whatever its octets", () => {
  const sparse = fc.array(fc.oneof(fc.constant(0), fc.nat(255)), { minLength: 16, maxLength: 16 });
  fc.assert(
    fc.property(sparse, (octets) => {
      const text = ipv6Text(Uint8Array.from(octets));
      expect(isIPv6(text)).toBe(true);
      expect([...ipv6Octets(text)]).toEqual(octets);
    }),
  );
});

test.each(["", "1.2.3", "1.2.3.256", "::1", "a.b.c.d"])("%j is no IPv4 address", (text) => {
  expect(() => ipv4Octets(text)).toThrow(CodecError);
});

test.each(["", "1.2.3.4", ":::", "fe80::1%eth0", "2001:db8::1::2"])("%j is no IPv6 address", (text) => {
  expect(() => ipv6Octets(text)).toThrow(CodecError);
});
