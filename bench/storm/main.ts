import { parseArgs } from "node:util";
import { storm } from "../../test/daemon/storm.ts";

const { values } = parseArgs({
  options: {
    certificates: { type: "string", default: "1000" },
    parallel: { type: "string", default: "32" },
    faults: { type: "string", default: "0" },
  },
});
const rate = Number(values.faults);
const certificates = Number(values.certificates);
const faults =
  rate === 0
    ? {}
    : {
        badNonce: rate,
        serverError: rate,
        lostResponse: rate,
        reset: rate,
        cutBody: rate,
        drop: rate,
        lostReply: rate,
      };
const result = await storm({ certificates, parallel: Number(values.parallel), faults });
const figures = {
  certificates,
  parallel: Number(values.parallel),
  faults: rate,
  renewed: result.renewed,
  seconds: Number(result.seconds.toFixed(1)),
  "certificates per second": Number((certificates / result.seconds).toFixed(1)),
  "DNS writes per certificate": Number((result.dnsWrites / certificates).toFixed(3)),
  "orders open at once": result.ordersAtOnce,
  "peak MB": Math.round(result.peakMb),
  "signed by the CA": result.signed,
  "versions of a certificate": result.versions,
  "left in DNS": result.leftInDns,
  "left in the journal": result.leftInJournal,
  "failed tries": result.failures.length,
  "exit status": result.status,
};
for (const [name, value] of Object.entries(figures)) console.log(`${name.padEnd(28)}${value}`);
for (const message of [...new Set(result.failures)].slice(0, 5)) console.log(`  ${message}`);
