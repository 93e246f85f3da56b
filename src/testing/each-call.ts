import assert from "node:assert/strict";
import { domain } from "./stage.ts";
import type { InjectedFault, Stage, Subject } from "./subject.ts";

/** No change of one value takes more requests. */
const mostCalls = 50;

export interface EachCallOptions<F extends InjectedFault> {
  /** Part of the names, so that no name is used twice. */
  readonly label: string;
  /** Values that stand at each name before. */
  readonly foreign?: readonly string[];
  /** Makes the `nth` request from now on meet the fault. */
  inject(nth: number): F | undefined;
}

/** Repeats `act` at new names with the fault at its first request, its second, and so on until there is no such. */
export async function atEachCall<F extends InjectedFault>(
  { service }: Stage,
  { label, foreign = [], inject }: EachCallOptions<F>,
  act: (name: string, inject: () => F | undefined) => Promise<void>,
): Promise<void> {
  for (let nth = 1; nth <= mostCalls; nth++) {
    const name = `_acme-challenge.${label}-${nth}.example.com`;
    if (foreign.length > 0) await service.put(domain("example.com"), domain(name), foreign, 600);
    let injected: F | undefined;
    await act(name, () => {
      injected = inject(nth);
      return injected;
    });
    const met = injected?.met();
    injected?.cancel();
    if (met) continue;
    assert.ok(nth > 1, "not even the first request met the fault");
    return;
  }
  assert.fail(`more than ${mostCalls} requests for one value`);
}

/** Whether values can be removed at all: at some services newer ones push them out. */
export function removes({ skip = {} }: Subject): boolean {
  return skip["removing.value"] === undefined;
}
