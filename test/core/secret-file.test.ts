import { expect, test } from "vitest";
import { isSurelyPath, unreadableSecret } from "../../src/core/secret-file.ts";

test.each([
  "/run/secrets/dnspod",
  "./Key2",
  "../K",
  "~/eab-key.txt",
  "C:\\keys\\eab",
  "secrets/dnspod-key",
  "eab-2026",
  "key",
])("%s is a path", (text) => {
  expect(isSurelyPath(text)).toBe(true);
  expect(unreadableSecret(text, new Error("gone"))).toBe(`cannot read ${text}: gone`);
});

test.each([
  "9z7i2mWH-iLr5DYVwsyXW0gj4mwFNbT489Vyw6uU0Rc",
  "Z4JcgV4IxMk6omVeURQukb4/dBiBU1mbbVoe96ZElvQ=",
  "123456,0123456789abcdef0123456789abcdef",
  "correct horse battery staple",
])("%s may be the secret itself, and is not repeated, by the system's words neither", (text) => {
  const error = Object.assign(new Error(`ENOENT: no such file or directory, open '${text}'`), { code: "ENOENT" });
  const said = unreadableSecret(text, error, `/etc/dns01/${text}`);
  expect(said).not.toContain(text);
  expect(said).toBe(
    "cannot read the file that is named here: no such file or folder; this takes a path, and not the secret itself",
  );
});
