import { expect, test } from "vitest";
import { ConfigError } from "../../src/core/errors.ts";
import { type Environment, proxyFor, proxySecrets } from "../../src/proxy/environment.ts";

const proxyOf = (url: string, env: Environment) => proxyFor(new URL(url), env)?.host;

test.each<readonly [url: string, without: string, isAsked: boolean]>([
  ["https://api.example.test/", "", true],
  ["https://api.example.test/", "other.test", true],
  ["https://api.example.test/", "example.test", false],
  ["https://api.example.test/", ".example.test", false],
  ["https://api.example.test/", "*.example.test", false],
  ["https://api.example.test/", "API.Example.Test", false],
  ["https://api.example.test./", "api.example.test", false],
  ["https://api.example.test/", "api.example.test:443", false],
  ["https://api.example.test:8443/", "api.example.test:443", true],
  ["https://api.example.test:8443/", "example.test:8443", false],
  ["https://api.example.test/", "a.test, *", false],
  ["https://api.example.test/", "a.test  example.test", false],
  ["https://notexample.test/", "example.test", true],
  ["http://api.example.test/", "api.example.test:80", false],
  ["https://localhost:14000/", "", true],
  ["https://127.0.0.1:14000/", "", true],
  ["http://[::1]:8081/", "", true],
  ["https://localhost:14000/", "localhost", false],
  ["http://127.0.0.1:8081/", "localhost", true],
  ["http://127.0.0.1:8081/", "127.0.0.1", false],
  ["http://127.0.0.1:8081/", "127.0.0.0/8", false],
  ["http://10.1.2.3/", "10.0.0.0/8", false],
  ["http://10.1.2.3/", "10.2.0.0/16", true],
  ["http://10.1.2.3:8081/", "10.1.2.3:8081", false],
  ["http://[::1]:8081/", "::1", false],
  ["http://[::1]:8081/", "[::1]:8081", false],
  ["http://[::1]:8081/", "[::1]:80", true],
  ["http://[fd00:1::2]/", "fd00::/8", false],
  ["http://api.example.test/", "10.0.0.0/8,fd00::/8", true],
  ["http://api.example.test/", "10.0.0.0/99", true],
])("%s with NO_PROXY=%s is asked through the proxy: %s", (url, without, isAsked) => {
  for (const name of ["NO_PROXY", "no_proxy"]) {
    const env = { HTTPS_PROXY: "proxy.test:3128", HTTP_PROXY: "http://proxy.test:3128", [name]: without };
    expect(proxyOf(url, env)).toBe(isAsked ? "proxy.test:3128" : undefined);
  }
});

test.each([
  "http://169.254.169.254/latest/meta-data/",
  "http://0xa9fea9fe/latest/meta-data/",
  "http://[::ffff:169.254.169.254]/",
  "http://169.254.170.2/v2/credentials",
  "http://169.254.170.23/v1/credentials",
  "http://[fd00:ec2::254]/latest/meta-data/",
  "http://[fd00:ec2::23]/v1/credentials",
  "http://100.100.100.200/latest/meta-data/",
  "http://metadata.google.internal/computeMetadata/v1/",
  "http://Metadata.Google.Internal./computeMetadata/v1/",
  "http://metadata/computeMetadata/v1/",
  "http://metadata.tencentyun.com/latest/meta-data/",
  "http://[fe80::a9fe:a9fe]/openstack",
  "https://169.254.169.254/",
])("the metadata address %s is never asked through a proxy", (url) => {
  const proxy = "http://proxy.test:3128";
  expect(proxyOf(url, { HTTPS_PROXY: proxy, HTTP_PROXY: proxy, ALL_PROXY: proxy })).toBeUndefined();
});

test("plain HTTP goes by HTTP_PROXY, TLS by HTTPS_PROXY, both by ALL_PROXY; small letters go first", () => {
  const [plain, secure] = ["http://a.test/", "https://a.test/"];
  expect(proxyOf(plain, { HTTPS_PROXY: "p:1" })).toBeUndefined();
  expect(proxyOf(secure, { HTTP_PROXY: "p:1" })).toBeUndefined();
  expect([plain, secure].map((url) => proxyOf(url, { ALL_PROXY: "p:1" }))).toEqual(["p:1", "p:1"]);
  expect(proxyOf(secure, { HTTPS_PROXY: "p:1", https_proxy: "q:2" })).toBe("q:2");
  expect(proxyOf(secure, { HTTPS_PROXY: "p:1", https_proxy: "" })).toBeUndefined();
  expect(proxyOf(secure, { HTTPS_PROXY: "https://p.test:8443" })).toBe("p.test:8443");
});

test.each(["socks5://p.test:1080", "http://", "http://p.test:port", "://"])(
  "the proxy address %s is refused, by the variable's name and without its value",
  (address) => {
    const env = { HTTPS_PROXY: address.replace("//", "//me:hidden@") };
    const error = (() => {
      try {
        return proxyFor(new URL("https://a.test/"), env);
      } catch (thrown) {
        return thrown;
      }
    })();
    expect(error).toBeInstanceOf(ConfigError);
    expect(error).toMatchObject({ message: expect.stringMatching(/^HTTPS_PROXY: is not the address of a proxy/) });
    expect(String(error)).not.toContain("hidden");
  },
);

test("logins in the addresses are known as secrets, escaped and not", () => {
  const secrets = proxySecrets({ https_proxy: "http://me:s%40cret@p.test:3128", HTTP_PROXY: "you:plain@p.test" });
  expect(secrets).toEqual(expect.arrayContaining(["s%40cret", "s@cret", "plain"]));
  expect(proxySecrets({ HTTPS_PROXY: "http://p.test:3128" })).toEqual([]);
});
