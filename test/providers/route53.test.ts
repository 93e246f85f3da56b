import route53 from "../../providers/route53.ts";
import { startRoute53 } from "../fakes/route53.ts";
import { perBatchOfSets, tryAdapter } from "./trial.ts";

tryAdapter({
  provider: route53,
  shape: "rrset",
  start: startRoute53,
  economy: perBatchOfSets,
  exclusive: [{ config: { profile: "default" }, names: ["profile"] }],
  skip: {
    "zones.choice-limited": "IAM allows the list of zones as a whole or not at all; without it hostedZoneID is pinned",
  },
});
