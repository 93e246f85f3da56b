import desec from "../../providers/desec.ts";
import { startDesecFake } from "../fakes/desec.ts";
import { perBatchOfSets, tryAdapter } from "./trial.ts";

tryAdapter({
  provider: desec,
  shape: "rrset",
  start: startDesecFake,
  unconditional: "a write replaces all values of a name, and the API has no condition to hang on it",
  economy: perBatchOfSets,
  skip: {
    "names.long": "the API takes 178 characters in front of the zone's name, no more",
    "messages.request-id": "the API names no requests",
  },
});
