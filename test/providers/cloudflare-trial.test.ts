import cloudflare from "../../providers/cloudflare.ts";
import { email, globalKey, startCloudflareFake } from "../fakes/cloudflare.ts";
import { perRecord, tryAdapter } from "./trial.ts";

tryAdapter({
  provider: cloudflare,
  shape: "record",
  start: startCloudflareFake,
  economy: perRecord,
  exclusive: [{ config: { email, apiKey: globalKey }, names: ["apiToken", "apiKey"] }],
});
