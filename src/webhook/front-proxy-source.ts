import { readFile } from "node:fs/promises";
import { counted } from "../core/counted.ts";
import type { Observer } from "../core/events.ts";
import { thrownText } from "../core/thrown.ts";
import { timeText } from "../core/time-text.ts";
import type { KubernetesApi } from "../kubernetes/api.ts";
import { watchFiles } from "./file-watch.ts";
import {
  authoritiesEnd,
  type FrontProxyState,
  frontProxyConfigMap,
  parseAuthorities,
  parseFrontProxyConfigMap,
} from "./front-proxy-config.ts";
import { defaultIdentityHeaders } from "./identity.ts";

/** Where it is said whose word counts. */
export type FrontProxySource =
  | { readonly caFile: string; readonly allowedNames: readonly string[] }
  | { readonly kubernetes: Pick<KubernetesApi, "watchConfigMap"> };

/** Reads a CA file of the front proxy; a fault says what is wrong with it. */
export async function readFrontProxyFile(caFile: string, allowedNames: readonly string[]): Promise<FrontProxyState> {
  try {
    const authorities = parseAuthorities(await readFile(caFile, "utf8"));
    if (authorities.length === 0) return { fault: `${caFile} holds no certificate of a CA` };
    return { config: { authorities, allowedNames, headers: defaultIdentityHeaders } };
  } catch (error) {
    return { fault: `cannot read ${caFile}: ${thrownText(error)}` };
  }
}

export interface FollowOptions {
  readonly observer: Observer;
  readonly signal: AbortSignal;
  readonly onState: (state: FrontProxyState) => void;
}

/** Calls back with every change, the present state first; the ConfigMap is watched, a file re-read. */
export async function followFrontProxy(source: FrontProxySource, options: FollowOptions): Promise<void> {
  const { signal, onState, observer } = options;
  let said = "";
  const tell = (state: FrontProxyState) => {
    onState(state);
    const text = describe(state);
    if (text === said) return;
    said = text;
    if ("fault" in state) observer({ type: "warning", code: "W_FRONT_PROXY", text });
    else observer({ type: "log", level: "info", text });
  };
  if ("caFile" in source) {
    const read = async () => tell(await readFrontProxyFile(source.caFile, source.allowedNames));
    await read();
    let line = Promise.resolve();
    const onChange = () => {
      line = line.then(() => (signal.aborted ? undefined : read()));
    };
    watchFiles({ paths: [source.caFile], onChange, signal });
    return;
  }
  const { namespace, name } = frontProxyConfigMap;
  let seen = false;
  source.kubernetes.watchConfigMap(
    namespace,
    name,
    (current) => {
      seen = true;
      if (current === undefined) tell({ fault: `ConfigMap ${namespace}/${name} does not exist` });
      else tell(parseFrontProxyConfigMap(current.data));
    },
    signal,
    // What was seen before holds meanwhile.
    (error) => {
      if (!seen) tell({ fault: `ConfigMap ${namespace}/${name} cannot be read: ${thrownText(error)}` });
    },
  );
}

function describe(state: FrontProxyState): string {
  if ("fault" in state) return `nobody can be believed: ${state.fault}`;
  const { authorities, allowedNames } = state.config;
  const names = allowedNames.length === 0 ? "any name" : allowedNames.join(", ");
  const end = timeText(authoritiesEnd(state.config));
  return `front proxy: ${counted(authorities.length, "CA")}, the last until ${end}; ${names}`;
}
