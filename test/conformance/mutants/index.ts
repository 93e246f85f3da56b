import { addingMutants } from "./adding.ts";
import { concurrencyMutants } from "./concurrency.ts";
import { errorMutants } from "./error.ts";
import { faultMutants } from "./fault.ts";
import type { Mutant } from "./mutant.ts";
import { nameMutants } from "./name.ts";
import { octetMutants } from "./octets.ts";
import { pagingMutants } from "./paging.ts";
import { refusalMutants } from "./refusal.ts";
import { removingMutants } from "./removing.ts";
import { restartMutants } from "./restart.ts";
import { secrecyMutants } from "./secrecy.ts";
import { siblingMutants } from "./sibling.ts";
import { zoneMutants } from "./zone.ts";

export const mutants: readonly Mutant[] = [
  ...zoneMutants,
  ...addingMutants,
  ...removingMutants,
  ...siblingMutants,
  ...octetMutants,
  ...restartMutants,
  ...concurrencyMutants,
  ...nameMutants,
  ...pagingMutants,
  ...faultMutants,
  ...errorMutants,
  ...refusalMutants,
  ...secrecyMutants,
];
