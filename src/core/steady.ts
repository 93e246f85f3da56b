/** What a message may take: a line of a terminal or two. */
const most = 200;

const changing = [
  // Ids of requests.
  /[0-9a-f]{8}-?[0-9a-f-]{23,27}/gi,
  // 2026-11-24T20:00:00.123Z, 2026-11-24 20:00:00 +0000, 20261124T200000Z, 2026/11/24
  /\d{4}([-/]\d\d[-/]\d\d|\d{4}(?=T\d))([T ]+\d\d:?\d\d(:?\d\d)?([.,]\d+)?)?( ?(Z|UTC|GMT|CST|[+-]\d\d:?\d\d)\b)?/g,
  // Tue, 24 Nov 2026 20:00:00 GMT
  /\b([A-Z][a-z]{2}, )?\d{1,2} [A-Z][a-z]{2} \d{4}( \d\d:\d\d:\d\d)?( (GMT|UTC|[+-]\d{4}))?/g,
  /\b\d{1,2}:\d\d:\d\d([.,]\d+)?( ?(Z|UTC|GMT|CST|[+-]\d\d:?\d\d)\b)?/g,
  // Seconds and milliseconds since 1970, counters.
  /\d{9,}/g,
];

/**
 * A service's own words without what differs from one answer to the next (times, ids of requests), in one line. Cut
 * between words: half a secret would not be recognised and masked.
 */
export function steady(message: string): string {
  const text = changing
    .reduce((kept, pattern) => kept.replace(pattern, "…"), message)
    .replace(/\s+/g, " ")
    .trim();
  return text.length <= most ? text : `${text.slice(0, text.lastIndexOf(" ", most) + 1).trimEnd()}…`;
}
