import { type Call, conductOf, Dns01Error, type Zone } from "../../src/index.ts";

/** Within which Route 53 says that changes usually reach all servers. */
const patienceMs = 60_000;

/**
 * Asks every four to ten seconds how a change is getting on, for a minute at most: a quicker pace costs the account's
 * quota. A change that takes longer, or a right that is missing, is no failure: whether the nameservers serve the value
 * is for the propagation check to say.
 */
export async function waitForInsync(
  zone: Zone,
  call: Call,
  isInsync: (call: Call) => Promise<boolean>,
  warn: (text: string) => void,
): Promise<void> {
  const { clock, request } = conductOf(call);
  const label = { operation: "getChange", write: false, name: zone.apex };
  const until = clock.now() + patienceMs;
  for (let pauseMs = 4000; ; pauseMs = Math.min(pauseMs * 1.25, 10_000)) {
    await clock.sleep(pauseMs * (1 + clock.random() * 0.25), call.signal);
    try {
      if (await request(label, isInsync)) return;
    } catch (error) {
      if (call.signal.aborted || !Dns01Error.is(error)) throw error;
      if (!error.retryable) return warn(`not waited for INSYNC: ${error.message}`);
    }
    if (clock.now() >= until)
      return warn(`the change in ${zone.apex} is not INSYNC after ${patienceMs / 1000} s; not waited for any longer`);
  }
}
