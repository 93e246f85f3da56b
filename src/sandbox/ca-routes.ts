import { randomBytes } from "node:crypto";
import {
  accountOfKid,
  accountOfThumbprint,
  changeKey,
  listOrders,
  newAccount,
  requireAgreement,
  updateAccount,
} from "./ca-accounts.ts";
import { handleAuthorization } from "./ca-authorizations.ts";
import { handleChallenge } from "./ca-challenges.ts";
import { downloadCertificate, finalize } from "./ca-finalize.ts";
import { checkUrl, type Jws, keyHint, nonceOf, parseJws, payloadObject, thumbprint, verifyJws } from "./ca-jws.ts";
import { newOrder, ownOrder, viewOrder } from "./ca-orders.ts";
import { AcmeProblem, malformed, notFound } from "./ca-problem.ts";
import { renewalInfo } from "./ca-renewal.ts";
import { revoke } from "./ca-revoke.ts";
import { type AcmeReply, type AcmeRequest, type CaState, termsUrl } from "./ca-state.ts";

/** Issuer name for CAA records. */
export const issuerDomain = "sandbox.test";

type Post = (
  state: CaState,
  request: AcmeRequest,
  path: readonly string[],
  query: URLSearchParams,
) => AcmeReply | Promise<AcmeReply>;

/** Requests signed by an account. POST-as-GET is told by its empty payload (RFC 8555 §6.3). */
const posts: Readonly<Record<string, Post>> = {
  account: (state, request, [id = "", part], query) => {
    if (part === undefined) return updateAccount(state, id, request);
    if (part !== "orders") throw notFound("resource");
    return listOrders(state, id, Number(query.get("page") ?? 0) || 0, asGet(request));
  },
  "key-change": changeKey,
  "new-order": newOrder,
  order: (state, request, [id = "", part]) => {
    if (part === "finalize") return finalize(state, id, request);
    if (part !== undefined) throw notFound("resource");
    return viewOrder(state, ownOrder(state, id, asGet(request).account));
  },
  authz: (state, request, [id = ""]) => handleAuthorization(state, id, request),
  chall: (state, request, [id = ""]) => handleChallenge(state, id, request),
  cert: (state, request, [id = "", index = "0"]) => downloadCertificate(state, id, Number(index), asGet(request)),
  // RFC 8555 §6.3: both ways of reading, here.
  directory: (state, request) => {
    asGet(request);
    return { status: 200, body: directory(state) };
  },
  "new-nonce": (_state, request) => {
    asGet(request);
    return { status: 204 };
  },
};

/** What an account may do before it agrees to changed terms: agree, and whatever leads there. */
const beforeAgreement: readonly string[] = ["account", "directory", "new-nonce"];

/** What a request is for. What is no address ("//": an origin and a path joined carelessly) leads to where nothing is. */
export function urlOf(target: string | undefined, origin: string): URL {
  const isAddress = target !== undefined && URL.canParse(target, origin);
  return new URL(isAddress ? target : "/no-address", origin);
}

/** What is read without a signature. `undefined` when there is no such thing. */
export function handleGet(state: CaState, method: string, path: readonly string[]): AcmeReply | undefined {
  const [first, second] = path;
  if (first === "directory") return { status: 200, body: directory(state) };
  if (first === "new-nonce") return { status: method === "HEAD" ? 200 : 204 };
  if (first === "renewal-info" && second !== undefined) return renewalInfo(state, second);
  if (first === "terms")
    return { status: 200, contentType: "text/plain", body: "Do what you like: it is a sandbox.\n" };
  return undefined;
}

export function isPostPath([first = ""]: readonly string[]): boolean {
  return Object.hasOwn(posts, first) || first === "new-account" || first === "revoke-cert";
}

/** A POST: RFC 8555 §6.2 to §6.5, then what it is for. `redeem` spends the nonce. */
export async function handlePost(
  state: CaState,
  path: readonly string[],
  url: URL,
  body: unknown,
  redeem: (nonce: string) => boolean,
): Promise<AcmeReply> {
  const jws = parseJws(body);
  if (!redeem(nonceOf(jws))) throw new AcmeProblem("badNonce", 400, "the nonce is unknown, used or too old");
  checkUrl(jws, url.href);
  const [first = "", ...rest] = path;
  if (first === "new-account") return handleNewAccount(state, jws, url.href);
  if (first === "revoke-cert") return handleRevoke(state, jws);
  const handler = Object.hasOwn(posts, first) ? posts[first] : undefined;
  if (handler === undefined) throw notFound("resource");
  const request = await byAccount(state, jws, url.href);
  if (!beforeAgreement.includes(first)) requireAgreement(state, request.account);
  return handler(state, request, rest, url.searchParams);
}

async function byAccount(state: CaState, jws: Jws, url: string): Promise<AcmeRequest> {
  const hint = keyHint(jws);
  if (!("kid" in hint)) throw malformed('this request is signed with "kid", not with "jwk"');
  const account = accountOfKid(state, hint.kid);
  return { url, account, payload: payloadObject(await verifyJws(jws, account.jwk)) };
}

async function handleNewAccount(state: CaState, jws: Jws, url: string): Promise<AcmeReply> {
  const hint = keyHint(jws);
  if (!("jwk" in hint)) throw malformed('newAccount is signed with "jwk", not with "kid"');
  const payload = payloadObject(await verifyJws(jws, hint.jwk));
  if (payload === undefined) throw malformed("newAccount needs a payload");
  return newAccount(state, url, hint.jwk, payload);
}

async function handleRevoke(state: CaState, jws: Jws): Promise<AcmeReply> {
  const hint = keyHint(jws);
  if ("kid" in hint) {
    const account = accountOfKid(state, hint.kid);
    return revoke(state, { account }, payloadObject(await verifyJws(jws, account.jwk)));
  }
  const payload = payloadObject(await verifyJws(jws, hint.jwk));
  // RFC 8555 §6.2: an account speaks through its kid; a jwk is the certificate's.
  if (accountOfThumbprint(state, await thumbprint(hint.jwk)) !== undefined) {
    throw malformed('an account signs a revocation with "kid"');
  }
  return revoke(state, { jwk: hint.jwk }, payload);
}

function asGet(request: AcmeRequest): AcmeRequest {
  if (request.payload !== undefined)
    throw malformed("this resource is read with POST-as-GET: an empty payload, not {}");
  return request;
}

function directory(state: CaState): unknown {
  const { profiles } = state;
  const at = (path: string) => `${state.origin()}/${path}`;
  return {
    newNonce: at("new-nonce"),
    newAccount: at("new-account"),
    newOrder: at("new-order"),
    revokeCert: at("revoke-cert"),
    keyChange: at("key-change"),
    ...(state.behaviour.ari === "none" ? {} : { renewalInfo: at("renewal-info") }),
    // Clients must pass over members they do not know.
    [randomBytes(8).toString("base64url")]:
      "https://community.letsencrypt.org/t/adding-random-entries-to-the-directory/33417",
    meta: {
      termsOfService: termsUrl(state),
      website: state.origin(),
      caaIdentities: [issuerDomain],
      ...(state.behaviour.eab === undefined ? {} : { externalAccountRequired: true }),
      ...(profiles.size === 0
        ? {}
        : {
            profiles: Object.fromEntries([...profiles].map(([name, days]) => [name, `certificates of ${days} days`])),
          }),
    },
  };
}
