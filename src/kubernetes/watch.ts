import { linkSignal } from "../core/abort.ts";
import type { Clock } from "../core/clock.ts";
import type { Observer } from "../core/events.ts";
import { thrownText } from "../core/thrown.ts";
import { KubernetesError } from "./error.ts";
import type { Requests } from "./requests.ts";
import { failure, member, textOf } from "./status.ts";

export interface Watched {
  /** Path of the collection: "/api/v1/namespaces/kube-system/configmaps". */
  readonly collection: string;
  readonly name: string;
  /** For messages: "configmap kube-system/extension-apiserver-authentication". */
  readonly what: string;
  /** With every state, the present one first; undefined while there is no such object. */
  onChange(object: unknown): void;
  /** With every failure after which it tries again. */
  onTrouble(error: KubernetesError): void;
  /** How long to wait after a refusal (403), where going without is no fault. Default: as after any other failure. */
  readonly refusedPauseMs?: number;
}

export interface WatchDeps {
  readonly requests: Requests;
  readonly clock: Clock;
  readonly observer: Observer;
  readonly signal: AbortSignal;
}

/** The server ends a watch after this; a little less regular, so that replicas do not come back as one. */
const watchSeconds = 300;
const firstPauseMs = 800;
const longestPauseMs = 30_000;

/**
 * Follows one object until the signal fires, whatever happens: list, then watch from there; what the watch cannot tell
 * (410 Gone, a closed connection) is made up for by going on from the last version seen, or by listing again.
 */
export async function watchObject(watched: Watched, deps: WatchDeps): Promise<void> {
  const { clock, signal, observer } = deps;
  const state: State = { version: undefined, shown: undefined };
  let failures = 0;
  while (!signal.aborted) {
    const begun = clock.now();
    try {
      if (state.version === undefined) await list(state, watched, deps);
      await follow(state, watched, deps);
      // Ended by the server in order, unless it does nothing else.
      failures = clock.now() - begun > 1000 ? 0 : failures + 1;
    } catch (error) {
      if (signal.aborted) return;
      if (isGone(error)) {
        observer({ type: "log", level: "debug", text: `watch ${watched.what}: ${thrownText(error)}; listing again` });
        state.version = undefined;
      } else {
        report(error, watched, deps);
        // Whatever was missed meanwhile is in the list.
        state.version = undefined;
      }
      failures = clock.now() - begun > longestPauseMs ? 1 : failures + 1;
      if (watched.refusedPauseMs !== undefined && error instanceof KubernetesError && error.status === 403) {
        await clock.sleep(watched.refusedPauseMs, signal).catch(() => {});
        continue;
      }
    }
    if (failures === 0) continue;
    const ceiling = Math.min(longestPauseMs, firstPauseMs * 2 ** Math.min(failures - 1, 10));
    await clock.sleep(Math.round(ceiling * (0.5 + clock.random() * 0.5)), signal).catch(() => {});
  }
}

interface State {
  /** Of the collection, to watch from; undefined when it has to be listed. */
  version: string | undefined;
  /** Version of the object that was shown last, or "absent"; undefined before the first. */
  shown: string | undefined;
}

function fieldSelector(name: string): string {
  return `fieldSelector=${encodeURIComponent(`metadata.name=${name}`)}`;
}

/** Listed rather than got: only a list says from which version to watch, also when there is nothing. */
async function list(state: State, watched: Watched, { requests, signal }: WatchDeps): Promise<void> {
  const { collection, name, what } = watched;
  const path = `${collection}?${fieldSelector(name)}`;
  const answer = await requests.json({ what: `list ${what}`, path }, signal);
  const items = member(answer, "items");
  const found = Array.isArray(items) ? items.find((item: unknown) => nameOf(item) === name) : undefined;
  state.version = textOf(member(answer, "metadata"), "resourceVersion");
  if (state.version === undefined) throw new KubernetesError(`list ${what}: the answer has no resourceVersion`);
  show(state, found, watched);
}

async function follow(state: State, watched: Watched, { requests, signal, clock }: WatchDeps): Promise<void> {
  const { collection, name, what } = watched;
  const seconds = Math.round(watchSeconds * (1 + clock.random()));
  const query = [
    "watch=true",
    fieldSelector(name),
    `resourceVersion=${encodeURIComponent(state.version ?? "")}`,
    "allowWatchBookmarks=true",
    `timeoutSeconds=${seconds}`,
  ];
  const request = { what: `watch ${what}`, path: `${collection}?${query.join("&")}` };
  // A server that forgets to end it, or a connection that died without a word.
  const link = linkSignal(signal);
  const overdue = new Error("overdue");
  clock.sleep((seconds + 30) * 1000, link.signal).then(
    () => link.abort(overdue),
    () => {},
  );
  try {
    for await (const frame of requests.stream(request, link.signal)) take(frame, state, watched, request.what);
  } catch (error) {
    if (link.signal.reason !== overdue) throw error;
  } finally {
    link.release();
    link.abort(overdue);
  }
}

function take(frame: unknown, state: State, watched: Watched, what: string): void {
  const type = textOf(frame, "type");
  const object = member(frame, "object");
  if (type === "ERROR") throw failure(what, codeOf(object), JSON.stringify(object));
  const version = textOf(member(object, "metadata"), "resourceVersion");
  if (version !== undefined) state.version = version;
  if (type === "BOOKMARK" || nameOf(object) !== watched.name) return;
  if (type === "DELETED") show(state, undefined, watched);
  else if (type === "ADDED" || type === "MODIFIED") show(state, object, watched);
}

/** The same state is shown once, however often it comes. */
function show(state: State, object: unknown, watched: Watched): void {
  const version = object === undefined ? "absent" : textOf(member(object, "metadata"), "resourceVersion");
  if (version !== undefined && version === state.shown) return;
  state.shown = version;
  watched.onChange(object);
}

function report(error: unknown, watched: Watched, { observer }: WatchDeps): void {
  const told =
    error instanceof KubernetesError ? error : new KubernetesError(`watch ${watched.what}: ${thrownText(error)}`);
  observer({ type: "log", level: "warn", text: `${told.message}; tries again` });
  watched.onTrouble(told);
}

/** The version asked for is older than what the server remembers. */
function isGone(error: unknown): boolean {
  return error instanceof KubernetesError && (error.status === 410 || error.reason === "Expired");
}

function codeOf(status: unknown): number {
  const code = member(status, "code");
  return typeof code === "number" ? code : 500;
}

function nameOf(object: unknown): string | undefined {
  return textOf(member(object, "metadata"), "name");
}
