import type { Clock } from "../core/clock.ts";
import { AcmeError, ConfigError } from "../core/errors.ts";
import { type Exchange, Unreadable } from "./exchange.ts";
import { readDirectory } from "./objects.ts";
import { malformedAnswer } from "./problem.ts";
import type { HttpMessage } from "./transport.ts";
import type { Directory } from "./types.ts";

/** A directory may change (RFC 8555 §7.1.1 gives no lifetime); a day is what CAs expect. */
const maxAgeMs = 24 * 3_600_000;

export interface DirectoryCache {
  get(signal: AbortSignal): Promise<Directory>;
  /** Reads it again whatever its age. */
  refresh(signal: AbortSignal): Promise<Directory>;
}

/** The CA's directory, kept for a day. Throws AcmeError when the address is no ACME directory. */
export function createDirectoryCache(url: string, exchange: Pick<Exchange, "get">, clock: Clock): DirectoryCache {
  let kept: { readonly directory: Directory; readonly at: number } | undefined;

  const refresh = async (signal: AbortSignal) => {
    const body = await exchange
      .get({ operation: "directory", url, signal, read: (answer) => ({ json: parse(answer) }) })
      .catch((error: unknown) => {
        throw error instanceof AcmeError && error.problem.status === 404 ? notADirectory(url, "HTTP 404") : error;
      });
    const directory = readDirectory(body.json, url);
    if (directory === undefined) {
      throw notADirectory(url, body.json === undefined ? "it answers with a web page or text" : "newOrder is missing");
    }
    kept = { directory, at: clock.now() };
    return directory;
  };

  return {
    refresh,
    get: async (signal) => {
      if (kept !== undefined && clock.now() - kept.at < maxAgeMs) return kept.directory;
      return refresh(signal);
    },
  };
}

/** draft-ietf-acme-profiles: refused here what the CA does not list, so that the user sees what it does. */
export function checkProfile(directory: Directory, profile: string | undefined): void {
  const offered = Object.keys(directory.meta?.profiles ?? {});
  if (profile === undefined || offered.includes(profile)) return;
  const list = offered.length === 0 ? "the CA offers none" : `the CA offers ${offered.join(", ")}`;
  // The CA has been talked to by now, and the account may be new.
  throw new ConfigError([{ path: "--profile", message: `"${profile}" is no profile of this CA: ${list}` }], {
    hint: `${offered.length === 0 ? "Leave the profile out" : "Choose one of these, or leave it out"}; nothing was ordered.`,
  });
}

function notADirectory(url: string, why: string): AcmeError {
  return malformedAnswer("directory", `${url} is not an ACME directory: ${why}`);
}

/** Undefined for what is complete but no JSON: that is a wrong address, not trouble that passes. */
function parse(answer: HttpMessage): unknown {
  const text = answer.body.toString("utf8");
  try {
    return JSON.parse(text) as unknown;
  } catch {
    if (/^\s*[{[]/.test(text)) throw new Unreadable("the JSON is cut off");
    return undefined;
  }
}
