import type { DomainName } from "../../src/core/name.ts";
import { HttpError } from "../../src/http.ts";
import type { ServiceFault } from "../../src/testing/index.ts";

export interface Weather {
  refused: boolean;
  gone: boolean;
  hanging: boolean;
  loseAnswer: boolean;
  /** The zone that the credentials are for. */
  only: DomainName | undefined;
  /** Requests without an answer whose connection is open. */
  hung: number;
}

export type WorldFault = ServiceFault | "notFoundPage" | "hang";

/** What a request throws under a fault: as fetch and an adapter's own HTTP throw it, with a mark for mutants. */
export function faultError(fault: Exclude<WorldFault, "hang">, seconds?: number): Error {
  const http = (status: number, body: string) =>
    new HttpError(`POST http://127.0.0.1/records: ${status}`, {
      status,
      body,
      headers: {},
      retryAfterMs: seconds === undefined ? undefined : seconds * 1000,
    });
  const error = {
    throttle: () => http(429, "slow down"),
    unavailable: () => http(503, "try again later"),
    page: () => http(502, "<!DOCTYPE html><html></html>"),
    notFoundPage: () => http(404, "<!DOCTYPE html><html></html>"),
    reset: () => Object.assign(new Error("read ECONNRESET"), { code: "ECONNRESET" }),
    lost: () => Object.assign(new Error("socket hang up"), { code: "ECONNRESET" }),
  }[fault]();
  return Object.assign(error, { fault });
}

export const secretToken = "tok-5ecret/+value";

/** The answer to credentials that are for another zone. */
export function forbiddenZone(): Error {
  const answer = { status: 403, body: { message: "not your zone" }, headers: {} };
  return new HttpError("POST http://127.0.0.1/records: 403 Forbidden: not your zone", answer);
}
