import type { Observer } from "../core/events.ts";
import { withoutChanging } from "../core/steady.ts";
import type { ApiServiceState, ApiServiceWatcher } from "../kubernetes/api.ts";
import { apiVersion } from "./discovery.ts";

export interface OwnApiServicesOptions {
  readonly watcher: ApiServiceWatcher;
  readonly groups: readonly string[];
  readonly observer: Observer;
  readonly metrics: { apiService(group: string, available: boolean | undefined): void };
  readonly signal: AbortSignal;
}

/**
 * Watches the objects that route our groups to us, and says why one does not: only the API server knows whether it
 * reaches and trusts us. Readiness is no part of it, or one broken object would take the others' pods away.
 */
export function followOwnApiServices({ watcher, groups, observer, metrics, signal }: OwnApiServicesOptions): void {
  let refusalTold = false;
  for (const group of groups) {
    const name = `${apiVersion}.${group}`;
    let said = "";
    const tell = (state: ApiServiceState | undefined) => {
      metrics.apiService(group, state?.available ?? false);
      const text = describe(name, state);
      // The API server writes ports and addresses of its last try into it.
      const cause = withoutChanging(text);
      if (cause === said) return;
      said = cause;
      const level = state?.available === true ? "info" : "warn";
      observer({
        type: "log",
        level,
        text,
        fields: { group, reason: state === undefined ? "NotFound" : state.reason },
      });
    };
    watcher.watchApiService(name, tell, signal, ({ status, message }) => {
      // An API server that is away says so at every other call.
      if (status !== 403) return;
      metrics.apiService(group, undefined);
      said = "";
      if (refusalTold) return;
      refusalTold = true;
      const text = `goes without a look at its own APIServices, which it may not watch: ${message}`;
      observer({ type: "log", level: "info", text });
    });
  }
}

function describe(name: string, state: ApiServiceState | undefined): string {
  if (state === undefined) return `APIService ${name} does not exist: nobody can have challenges of this group solved`;
  if (state.available) return `APIService ${name} is available`;
  return `APIService ${name} is not available (${state.reason}): ${state.message}`;
}
