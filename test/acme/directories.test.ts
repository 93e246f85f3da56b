import { describe, expect, it } from "vitest";
import { cas, eabHelp, findCa } from "../../src/acme/directories.ts";
import { ConfigError } from "../../src/core/errors.ts";

describe("the CA", () => {
  it.each(Object.keys(cas))("%s has https directories", (id) => {
    const ca = findCa(id);
    expect(ca.id).toBe(id);
    for (const url of [ca.directoryUrl, ca.staging, ca.rsaDirectoryUrl]) {
      if (url !== undefined) expect(new URL(url).protocol).toBe("https:");
    }
  });

  it("is found by the address of its directory too", () => {
    expect(findCa("https://acme-v02.api.letsencrypt.org/directory").id).toBe("letsencrypt");
  });

  it("of RSA keys is the same CA, and stays at that address", () => {
    const url = "https://acme.ssl.com/sslcom-dv-rsa";
    expect(findCa(url)).toMatchObject({ id: "sslcom", directoryUrl: url, needsEab: true, needsEmail: true });
  });

  it.each(Object.values(cas).filter((ca) => ca.needsEab))("$id says where its bindings come from", (ca) => {
    expect(eabHelp(ca.directoryUrl)).toBe(ca.eabHelp);
    expect(ca.eabHelp).toMatch(/\.$/);
  });

  it("that is not in the table has a general word on bindings", () => {
    expect(eabHelp("https://ca.example.test/dir")).toMatch(/web site/);
  });

  it("may be any https address, or a plain one on this machine", () => {
    for (const url of [
      "https://ca.example.test:14000/dir",
      "http://127.0.0.1:4001/directory",
      "http://localhost/dir",
      "http://[::1]:1/",
    ]) {
      expect(findCa(url)).toMatchObject({ directoryUrl: url, needsEab: false });
      expect(findCa(url).id).toBeUndefined();
    }
  });

  it.each([
    ["letsencrpt", /did you mean "letsencrypt"/],
    ["buypass", /is no CA/],
    ["__proto__", /is no CA/],
    ["constructor", /is no CA/],
    ["http://ca.example.test/dir", /not https/],
    ["https://", /no address/],
    ["https://me:pw@ca.example.test/", /user name or password/],
    ["ftp://ca.example.test/", /is no CA/],
  ])("is not %s", (text, message) => {
    expect(() => findCa(text)).toThrow(ConfigError);
    expect(() => findCa(text)).toThrow(message);
  });
});
