import dnspod from "../../providers/dnspod.ts";
import { startDnspod } from "../fakes/dnspod.ts";
import { perRecord, tryAdapter } from "./trial.ts";

tryAdapter({
  provider: dnspod,
  shape: "record",
  start: (zones) => startDnspod(zones, { pageCap: 50 }),
  economy: perRecord,
  exclusive: [{ config: { loginToken: "123,abcdef" }, names: ["loginToken", "secretId"] }],
});
