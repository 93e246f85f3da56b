/** A DoH address as it is shown: without what may be secret in it, user, password and query. */
export function addressOf(url: URL): string {
  return `${url.origin}${url.pathname}`;
}
