import dnspod from "../../providers/dnspod.ts";
import { startDnspod } from "../fakes/dnspod.ts";
import { tryAdapter } from "./trial.ts";

tryAdapter({
  provider: dnspod,
  shape: "record",
  start: (zones) => startDnspod(zones, { pageCap: 50 }),
  exclusive: [{ config: { loginToken: "123,abcdef" }, names: ["loginToken", "secretId"] }],
});
