/** What is replaced by what; `$1` stands for the first group. */
export type Changing = readonly (readonly [pattern: RegExp, by: string])[];

const number = String.raw`\d+(?:[.,]\d+)?`;
const small = `(?:ns|[uµμ]s|ms|msecs?|milliseconds?)`;
const seconds = `(?:${small}|s|secs?|seconds?)`;
const unit = `(?:${seconds}|m|mins?|minutes?|h|hrs?|hours?)`;
/** 153ms, 1.2 seconds, 1m30s */
const brief = String.raw`(?:\d+ ?h ?)?(?:\d+ ?m ?)?${number} ?${seconds}\b`;
const duration = String.raw`${number} ?${unit}(?: ?${number} ?${unit})*\b`;
const day = "(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*";
const month = "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*";
const clock = String.raw`\d\d?:\d\d(?::\d\d)?(?:[.,]\d+)?`;
const offset = String.raw`(?: ?(?:Z|UTC|GMT|CST|[+-]\d\d:?\d\d)\b)`;
/** What Linux gives to the near end of a connection: from 32768 on. */
const highPort = String.raw`(?:3276[89]|327[7-9]\d|32[89]\d\d|3[3-9]\d{3}|[4-6]\d{4})\b`;

/** Whose ids are another one each time. */
const passing =
  "(?:request|req|trace|span|correlation|transaction|activity|operation|incident|session|invocation|idempotency|ray)";
const announced = String.raw`(?:[a-z]{1,12}-){0,4}(?:extended )?${passing}[ _-]?(?:id|key)\b["']?`;
/** An id has a digit, or is longer than a word. */
const token = String.raw`(?=[\w+/.:-]*\d|[\w+/.-]{16})[\w+/.:-]*[\w+/=]`;
const withToken = String.raw`${announced}(?:\s*[:=]\s*["']?|\s+(?:(?:is|was)\s+)?["']?(?=[\w-]*\d))${token}["']?`;

/** Ids that are announced as such: `[request id: 0f8f…]`, `Trace ID: …`, `(request "…")`, `cf-ray=…`; they go without a trace. */
export const ids: Changing = [
  [new RegExp(String.raw`[[({]\s*${withToken}(?:[,;]?\s*${withToken})*\s*[\])}]`, "gi"), ""],
  [new RegExp(String.raw`(?:[,;]\s*)?\b${withToken}`, "gi"), ""],
  // DigitalOcean's; Hetzner's, behind the code.
  [/\(request "?[\w-]*\d[\w-]*"?\)/gi, ""],
  [/\((\w+), [0-9a-f]{16,}\)/gi, "($1)"],
  // What networks in front of a service write: Cloudflare, Akamai.
  [/\bcf-ray["']?\s*[:=]?\s*["']?[0-9a-f]{16}(?:-[a-z]{3})?["']?/gi, ""],
  [/\breference (?:#|&#35;)\s?[\w.]+/gi, ""],
];

export const changing: Changing = [
  // W3C's traceparent, X-Ray's trace, UUIDs, digests of whatever was sent.
  [/\b00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}\b/gi, "…"],
  [/\b1-[0-9a-f]{8}-[0-9a-f]{24}\b/gi, "…"],
  [/(?<![a-z0-9])[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}(?![a-z0-9])/gi, "…"],
  [/(?<![a-z0-9])(?=[a-f]*\d)[0-9a-f]{32,}(?![a-z0-9])/gi, "…"],
  // Pointers; eight digits are an error's number.
  [/\b0x[0-9a-f]{9,}\b/gi, "…"],
  [/(?<=[.$][\w$]+|\])@[0-9a-f]{5,8}(?![.\w-])/gi, "@…"],
  // 2026-11-24T20:00:00.123Z, 2026/11/24 20:00 +0800, 20261124T200000Z, and a day alone that is no version of an API.
  [new RegExp(String.raw`(?<![\d.])\d{4}[-/]\d\d[-/]\d\d[T ]+${clock}${offset}*(?: m=[+-][\d.]+)?`, "g"), "…"],
  [/\b\d{8}T\d{6}(?:\.\d+)?(?:Z\b|\b)/g, "…"],
  [/(?<![\w/=.-])\d{4}[-/]\d\d[-/]\d\d(?![\w/-])/g, "…"],
  // Tue, 24 Nov 2026 20:00:00 GMT, Tuesday, 24-Nov-26 20:00:00 GMT, Tue Nov 24 20:00:00 2026
  [
    new RegExp(
      String.raw`(?:\b${day},? )?\b\d\d?[ -]${month}[ -]\d{2,4}(?:,? ${clock})?(?: (?:GMT|UTC|[+-]\d{4})\b)*`,
      "g",
    ),
    "…",
  ],
  [
    new RegExp(
      String.raw`(?:\b${day},? )?\b${month} +\d\d?,?(?: \d{4},?)? ${clock}(?: [A-Z]{3,4}\b)?(?: \d{4}\b)?`,
      "g",
    ),
    "…",
  ],
  [new RegExp(String.raw`(?<![\w:.])\d\d?:\d\d:\d\d(?:[.,]\d+)?(?:${offset}| [AP]M\b)?(?![\w:])`, "g"), "…"],
  // Seconds, milli-, micro- and nanoseconds since 1970; ids may have as many digits.
  [/(?<![\w.]|\bid["']?\s?[:=]?\s?["']?)1[6-9]\d{8}(?:\d{3}|\d{6}|\d{9})?(?:\.\d+)?(?!\w)/gi, "…"],
  // How long it took, how long to wait.
  [
    new RegExp(
      String.raw`\b(?<!given up )((?:took|taken|elapsed|lasted|spent|waited|waiting|duration|latency|after)(?: for| about|["']?\s?[:=])?\s*)${brief}`,
      "gi",
    ),
    "$1…",
  ],
  [
    new RegExp(
      String.raw`\b((?:again|retry|wait|resets?|expires|available|unblocked|finished|failed|completed|done|ended|answered|responded)(?: it)?(?: in| after| for)?(?: about)? )${duration}`,
      "gi",
    ),
    "$1…",
  ],
  [new RegExp(String.raw`\b(in )${number} ?${small}\b`, "gi"), "$1…"],
  [new RegExp(String.raw`\((?:${number} ?${small}|\d+[.,]\d+ ?${seconds})\)`, "gi"), "(…)"],
  [/\b((?:retry[ _-]?after|(?:x-)?ratelimit[\w-]*)["']?\s*[:=]\s*["']?)\d+(?:\.\d+)?/gi, "$1…"],
  // Counters of tries.
  [
    /\b((?:attempt|try|retry|tries|retries|attempts)(?: no\.?| number)? ?[#:=]? ?)\d{1,2}(?: ?(?:\/|of) ?\d{1,2})?\b(?! ?(?:[a-z]|\d))/gi,
    "$1…",
  ],
  [/\b((?:after|tried|retried|made|repeated|failed) )\d+( (?:attempts?|tries|retries|times))\b/gi, "$1…$2"],
  [/\b\d+(?:st|nd|rd|th)( (?:attempt|try|retry))\b/gi, "…$1"],
  // The near end of a connection; an endpoint is written as an address with a scheme, or has a port below.
  [
    new RegExp(
      String.raw`(?<!//(?:[^\s/@]*@)?)(?<![\w.])((?:(?:\d{1,3}\.){3}\d{1,3}|\[[0-9a-f:.]+(?:%\w+)?\]|localhost):)${highPort}`,
      "gi",
    ),
    "$1…",
  ],
  [/\b((?:local|source|client|ephemeral|from) port )\d+\b/gi, "$1…"],
  [/\b((?:pid|tid|goroutine|thread)[ :=#-]{1,2})\d+\b/gi, "$1…"],
];

/** Ids of what lasts: they look the same, and say which account or record is meant. */
export const lasting =
  /(?:zone|account|domain|record|recordset|rrset|dns_record|user|uin|member|owner|identifier|directory|application|tenant|subscription|project|organi[sz]ation|(?:client|app)[ _-]?id|key|secret|value|txt|serial|version|digest|fingerprint|sha-?\d+|md5)s?(?:[ _-]?ids?)?["']?\s?[:=/]?\s?["'(]?(?=[a-z.+-]*\d)[\w.+-]+/gi;
