import hetzner from "../../providers/hetzner.ts";
import { startHetznerFake } from "../fakes/hetzner.ts";
import { perRecord, tryAdapter } from "./trial.ts";

tryAdapter({
  provider: hetzner,
  shape: "record",
  start: startHetznerFake,
  economy: perRecord,
  skip: { "names.repeated": "the API refuses names inside a zone that end with the zone's own name" },
});
