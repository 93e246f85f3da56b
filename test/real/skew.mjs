// Preloaded into `dns01` by NODE_OPTIONS=--import: its wall clock is DNS01_TEST_SKEW_MS ahead of everybody else's.
const skew = Number(process.env["DNS01_TEST_SKEW_MS"] ?? "0");
const RealDate = Date;

globalThis.Date = class extends RealDate {
  constructor(...args) {
    if (args.length === 0) super(RealDate.now() + skew);
    else super(...args);
  }
  static now() {
    return RealDate.now() + skew;
  }
};
