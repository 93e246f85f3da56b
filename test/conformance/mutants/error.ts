import { AuthError, TransientError } from "../../../src/core/errors.ts";
import type { TxtBackend } from "../../../src/core/provider.ts";
import { inEachShape, isFault, wrapRequests } from "../shapes.ts";
import { directBackend, type World } from "../world.ts";
import type { Mutant } from "./mutant.ts";

export const errorMutants: readonly Mutant[] = [
  {
    rule: "errors.credentials",
    fault: "tells a refusal as any other error",
    connect: (world) => failing(world, (error) => (world.weather.refused ? new Error("request failed") : error)),
  },
  {
    rule: "errors.words",
    fault: "puts the request id into the message",
    connect: (world) =>
      failing(world, (error) =>
        world.weather.refused ? new AuthError(`bad token (request ${world.newId()})`) : error,
      ),
  },
  {
    rule: "errors.unreachable",
    fault: "hides the network's code",
    connect: (world) => failing(world, (error) => (world.weather.gone ? new Error("something went wrong") : error)),
  },
  ...inEachShape(
    {
      rule: "errors.temporary",
      fault: "tells a throttled request as a failure of the service",
      also: ["errors.retry-after"],
    },
    wrapRequests(async (request) => {
      try {
        return await request();
      } catch (error) {
        throw isFault(error, "throttle") ? new TransientError("failed") : error;
      }
    }),
  ),
  {
    rule: "errors.abort",
    fault: "answers success when it is told to stop",
    connect: (world) => {
      const right = directBackend(world);
      return {
        findZone: right.findZone,
        apply: async (zone, edits, call) =>
          world.weather.hanging ? edits.map(() => "changed" as const) : right.apply(zone, edits, call),
      };
    },
  },
];

function failing(world: World, translate: (error: unknown) => unknown): TxtBackend {
  const right = directBackend(world);
  return {
    findZone: right.findZone,
    apply: async (zone, edits, call) =>
      right.apply(zone, edits, call).catch((error: unknown) => {
        throw translate(error);
      }),
  };
}
