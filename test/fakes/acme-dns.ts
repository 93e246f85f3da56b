import { type FakeReply, type FakeRequest, type HttpService, startHttpService } from "./http-service.ts";

export interface RegisteredAccount {
  readonly username: string;
  readonly password: string;
  readonly subdomain: string;
  readonly fulldomain: string;
}

export interface AcmeDnsOptions {
  /** The server's time in whole seconds, which decides what is the oldest value. */
  readonly seconds: () => number;
  /** Takes any value and any subdomain, as compatible servers may. Default false: what the real server takes. */
  readonly lenient?: boolean;
}

export interface AcmeDnsServer {
  readonly http: HttpService;
  /** The TXT values served at a name; a value in both rows is one record in DNS. */
  served(fulldomain: string): readonly string[];
  /** From now on nobody's credentials are accepted. */
  refuse(): void;
}

interface Row {
  value: string;
  updatedAt: number;
}

/**
 * The HTTP API of acme-dns, after its own handlers: two rows per subdomain, of which an update overwrites the one with
 * the oldest whole second (the first of equal ones); all that is wrong with the credentials is 401 "forbidden".
 */
export async function startAcmeDnsServer(
  accounts: readonly RegisteredAccount[],
  { seconds, lenient = false }: AcmeDnsOptions,
): Promise<AcmeDnsServer> {
  const empty = (): Row => ({ value: "", updatedAt: 0 });
  const rows = new Map(accounts.map(({ subdomain, fulldomain }) => [`${subdomain} ${fulldomain}`, [empty(), empty()]]));
  let refused = false;

  const handle = ({ method, path, headers, body }: FakeRequest): FakeReply => {
    if (path !== "/update")
      return { status: 404, headers: { "content-type": "text/plain" }, body: "404 page not found\n" };
    if (method !== "POST") return { status: 405, body: "Method Not Allowed\n" };
    const user = accounts.find(({ username }) => username === headers["x-api-user"]);
    const sent = parse(body);
    const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
    const known = !refused && user !== undefined && uuid.test(user.username) && headers["x-api-key"] === user.password;
    if (!known || user.password.length !== 40 || sent["subdomain"] !== user.subdomain) return refuse(401, "forbidden");
    const txt = String(sent["txt"] ?? "");
    if (!lenient && !/^[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?$/.test(user.subdomain))
      return refuse(400, "bad_subdomain");
    if (!lenient && !/^[A-Za-z0-9_-]{43}$/.test(txt)) return refuse(400, "bad_txt");
    const own = rows.get(`${user.subdomain} ${user.fulldomain}`) ?? [];
    const oldest = own.reduce((a, b) => (b.updatedAt < a.updatedAt ? b : a));
    oldest.value = txt;
    oldest.updatedAt = seconds();
    return { body: `{"txt": ${JSON.stringify(txt)}}`, headers: { "content-type": "application/json" } };
  };

  const http = await startHttpService({
    handle,
    operationOf: ({ method, path }) => ({ operation: `${method} ${path}`, write: true }),
  });
  return {
    http,
    served(fulldomain) {
      const account = accounts.find((candidate) => candidate.fulldomain === fulldomain);
      const own = account && rows.get(`${account.subdomain} ${fulldomain}`);
      return [...new Set(own?.map(({ value }) => value).filter((value) => value !== ""))];
    },
    refuse() {
      refused = true;
    },
  };
}

function parse(body: string): Readonly<Record<string, unknown>> {
  try {
    return JSON.parse(body) as Readonly<Record<string, unknown>>;
  } catch {
    return {};
  }
}

function refuse(status: number, error: string): FakeReply {
  return { status, headers: { "content-type": "application/json" }, body: `{"error": "${error}"}` };
}
