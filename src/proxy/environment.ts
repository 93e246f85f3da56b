import { BlockList, isIP } from "node:net";
import { ConfigError } from "../core/errors.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

const schemes: Readonly<Record<string, readonly string[]>> = {
  "https:": ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"],
  "http:": ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"],
};

/**
 * Returns the proxy that the environment names for this address, as curl reads HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and
 * NO_PROXY, in either case. Loopback addresses have no exception, metadata addresses of clouds are never asked through a
 * proxy. Throws ConfigError for a proxy that cannot be used.
 */
export function proxyFor(url: URL, env: Environment): URL | undefined {
  const name = schemes[url.protocol]?.find((key) => env[key] !== undefined);
  const text = (name === undefined ? undefined : env[name])?.trim() ?? "";
  if (name === undefined || text === "" || isMetadata(url)) return undefined;
  const direct = env["no_proxy"] ?? env["NO_PROXY"] ?? "";
  if (direct.split(/[\s,]+/).some((rule) => excludes(rule.toLowerCase(), url))) return undefined;
  const proxy = text.includes("://") ? text : `http://${text}`;
  const parsed = URL.canParse(proxy) ? new URL(proxy) : undefined;
  if (parsed !== undefined && /^https?:$/.test(parsed.protocol) && parsed.hostname !== "") return parsed;
  // Without the value: it may hold a password.
  throw new ConfigError([{ path: name, message: "is not the address of a proxy (write http://HOST:PORT)" }]);
}

/** Returns whether the environment names a proxy for any address. */
export function namesProxy(env: Environment): boolean {
  return Object.values(schemes).some((names) => names.some((name) => (env[name]?.trim() ?? "") !== ""));
}

/** Returns the passwords and logins in the environment's proxy addresses, to be masked in messages. */
export function proxySecrets(env: Environment): readonly string[] {
  const texts = new Set(Object.values(schemes).flatMap((names) => names.map((name) => env[name]?.trim() ?? "")));
  return [...texts].flatMap((text) => {
    const [, login = ""] = /^(?:[a-z]+:\/\/)?(.*)@/i.exec(text) ?? [];
    const password = login.slice(login.indexOf(":") + 1);
    return login === "" ? [] : [login, password, unescaped(password)];
  });
}

/** As curl reads a login: a "%" that begins no escape is meant as it is. */
export function unescaped(text: string): string {
  return text.replace(/(?:%[0-9a-f]{2})+/gi, (escapes) => {
    try {
      return decodeURIComponent(escapes);
    } catch {
      return escapes;
    }
  });
}

/** Where clouds hand out credentials to the machine that asks; a proxy is another machine. */
const metadataAddresses = new BlockList();
metadataAddresses.addSubnet("169.254.0.0", 16);
metadataAddresses.addSubnet("fe80::", 10, "ipv6");
metadataAddresses.addSubnet("fd00:ec2::", 32, "ipv6");
metadataAddresses.addAddress("100.100.100.200");
metadataAddresses.addAddress("fd20:ce::254", "ipv6");
const metadataName = /^(metadata|metadata\.goog|metadata\.(google|azure)\.internal|metadata\.tencentyun\.com)$/;

function isMetadata(url: URL): boolean {
  const host = hostOf(url);
  return metadataName.test(host) || isIn(metadataAddresses, host);
}

function excludes(rule: string, url: URL): boolean {
  if (rule === "*") return true;
  const host = hostOf(url);
  const { name = "", port } =
    isIP(rule) === 6 ? { name: rule } : (/^\[?(?<name>.*?)\]?(?::(?<port>\d+))?$/.exec(rule)?.groups ?? {});
  if (name === "" || (port !== undefined && port !== portOf(url))) return false;
  const [, address = "", prefix] = /^(.*?)(?:\/(\d{1,3}))?$/.exec(name) ?? [];
  const family = isIP(address);
  if (family !== 0) {
    const width = family === 6 ? 128 : 32;
    const bits = Number(prefix ?? width);
    if (bits > width) return false;
    const subnet = new BlockList();
    subnet.addSubnet(address, bits, family === 6 ? "ipv6" : "ipv4");
    return isIn(subnet, host);
  }
  const suffix = name.replace(/^\*?\./, "");
  return host === suffix || host.endsWith(`.${suffix}`);
}

function isIn(list: BlockList, host: string): boolean {
  const family = isIP(host);
  return family !== 0 && list.check(host, family === 6 ? "ipv6" : "ipv4");
}

/** Without brackets and final dot. */
function hostOf({ hostname }: URL): string {
  return hostname.replace(/^\[|\]$|\.$/g, "");
}

function portOf({ port, protocol }: URL): string {
  return port !== "" ? port : protocol === "https:" ? "443" : "80";
}
