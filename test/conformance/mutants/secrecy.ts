import { AuthError, TransientError } from "../../../src/core/errors.ts";
import { inEachShape, isFault, wrapRequests } from "../shapes.ts";
import { secretToken } from "../world.ts";
import type { Mutant } from "./mutant.ts";

const header = `Basic ${btoa(`user:${secretToken}`)}`;

export const secrecyMutants: readonly Mutant[] = [
  ...inEachShape(
    { rule: "secrecy.errors", fault: "repeats the request's header in the message" },
    wrapRequests(async (request, _write, world) => {
      try {
        return await request();
      } catch (error) {
        throw world.weather.refused ? new AuthError(`bad token in "Authorization: ${header}"`) : error;
      }
    }),
  ),
  ...inEachShape(
    { rule: "secrecy.events", fault: "tells the request's header while it repeats" },
    wrapRequests(async (request) => {
      try {
        return await request();
      } catch (error) {
        throw isFault(error, "unavailable") ? new TransientError(`failed with "Authorization: ${header}"`) : error;
      }
    }),
  ),
];
