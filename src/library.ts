export { type Dns01Event, type Observer, silent } from "./core/events.ts";
export * from "./index.ts";
export type { UpkeepEvent } from "./issuer/kept.ts";
export type { RenewOutcome, RenewStatus } from "./issuer/renew.ts";
export type { IssueResult } from "./issuer/request.ts";
export type { EngineOptions, SolverOptions } from "./library/engine.ts";
export { type IssueOptions, issue } from "./library/issue.ts";
export { type RenewOptions, renew } from "./library/renew.ts";
export { type WatchedCertificate, type WatchOptions, watch } from "./library/watch.ts";
