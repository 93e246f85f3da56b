/** Everything a provider may import, in this repository and outside of it. */
export { z } from "zod";
export { type CommandApi, commandBackend } from "./core/commands.ts";
export { conductOf } from "./core/conduct.ts";
export {
  AuthError,
  ConfigError,
  type ConfigIssue,
  ConflictError,
  Dns01Error,
  type ErrorCode,
  type ErrorFacts,
  RateLimitedError,
  RejectedError,
  TransientError,
  ZoneNotFoundError,
} from "./core/errors.ts";
export { byHttpStatus, endpointHint, HttpError, parseRetryAfter } from "./core/http-error.ts";
export { headerFault, httpUrl } from "./core/http-fields.ts";
export { type DomainName, isWithin, parseName, relativeTo } from "./core/name.ts";
export { onAbort } from "./core/on-abort.ts";
export { quoteTxt, rewriteTxt, unquoteTxt } from "./core/presentation.ts";
export {
  type Call,
  type Change,
  type ConnectDeps,
  defineProvider,
  type Edit,
  type HttpApi,
  type HttpFactory,
  type HttpRequest,
  type Owner,
  type Provider,
  type RecordApi,
  type RRset,
  type RRsetApi,
  type RRsetChange,
  type Traits,
  type TxtBackend,
  type TxtRecord,
  type Zone,
} from "./core/provider.ts";
export { type RecordBackendOptions, recordBackend } from "./core/records.ts";
export { rrsetBackend } from "./core/rrsets.ts";
export { secret } from "./core/schema.ts";
export { steady } from "./core/steady.ts";

// Dynamic updates, for providers/rfc2136.ts and others that speak RFC 2136.
export { parseServer, resolveServer, type ServerAddress } from "./dns/server-address.ts";
export type { Primary } from "./dns/signed.ts";
export { RoundTripError } from "./dns/sockets.ts";
export { parseKeyFile, parseTsigAlgorithm, type TsigKey, tsigAlgorithms } from "./dns/tsig-key.ts";
export { holdsZone, updateTxt } from "./dns/update.ts";
export { UpdateError } from "./dns/update-error.ts";
