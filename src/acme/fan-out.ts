import { setMaxListeners } from "node:events";

/** A signal that follows `signals` and may be waited on a hundred times at once without Node suspecting a leak. */
export function fanOut(...signals: readonly AbortSignal[]): AbortSignal {
  const shared = AbortSignal.any([...signals]);
  setMaxListeners(0, shared);
  return shared;
}
