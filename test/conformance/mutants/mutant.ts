import type { TxtBackend } from "../../../src/core/provider.ts";
import type { World } from "../world.ts";

/** A backend that breaks one rule, in a way somebody's backend has. */
export interface Mutant {
  readonly rule: string;
  readonly fault: string;
  /** Rules that the same fault may break besides. */
  readonly also?: readonly string[];
  readonly connect: (world: World) => TxtBackend;
}
