import dnspod from "../../providers/dnspod.ts";
import { startDnspod } from "../fakes/dnspod.ts";
import { perRecord, tryAdapter } from "./trial.ts";

tryAdapter({
  provider: dnspod,
  shape: "record",
  start: (zones) => startDnspod(zones, { pageCap: 50 }),
  economy: perRecord,
  skip: { "errors.retry-after": "neither of the two APIs says for how long" },
  exclusive: [{ config: { loginToken: "123,abcdef" }, names: ["loginToken", "secretId"] }],
});
