import type { JWK } from "jose";
import { checkUrl, isObject, keyHint, parseJws, payloadObject, thumbprint, verifyJws, verifyMac } from "./ca-jws.ts";
import { AcmeProblem, malformed, unauthorized } from "./ca-problem.ts";
import { type AcmeReply, type AcmeRequest, type CaAccount, type CaState, newId, termsUrl } from "./ca-state.ts";

const ordersPerPage = 25;

export function accountUrl(state: CaState, account: CaAccount): string {
  return `${state.origin()}/account/${account.id}`;
}

export function accountOfKid(state: CaState, kid: string): CaAccount {
  const prefix = `${state.origin()}/account/`;
  const account = kid.startsWith(prefix) ? state.accounts.get(kid.slice(prefix.length)) : undefined;
  if (account === undefined) throw doesNotExist(`there is no account "${kid}"`);
  // RFC 8555 §7.3.6 asks for 401.
  if (account.status !== "valid") throw unauthorized("this account is deactivated", 401);
  return account;
}

export function accountOfThumbprint(state: CaState, print: string): CaAccount | undefined {
  return [...state.accounts.values()].find((a) => a.thumbprint === print);
}

/** RFC 8555 §7.3.3: changed terms have to be agreed to before anything else. */
export function requireAgreement(state: CaState, account: CaAccount): void {
  const current = termsUrl(state);
  if (account.terms === current) return;
  throw new AcmeProblem("userActionRequired", 403, "the terms of service have changed; agree to them first", {
    headers: { link: `<${current}>;rel="terms-of-service"` },
    members: { instance: current },
  });
}

/** RFC 8555 §7.3. */
export async function newAccount(
  state: CaState,
  url: string,
  jwk: JWK,
  payload: Readonly<Record<string, unknown>>,
): Promise<AcmeReply> {
  const print = await thumbprint(jwk);
  const existing = accountOfThumbprint(state, print);
  if (existing !== undefined) {
    if (existing.status !== "valid") throw unauthorized("the account of this key is deactivated", 401);
    return { status: 200, headers: { location: accountUrl(state, existing) }, body: view(state, existing) };
  }
  if (payload["onlyReturnExisting"] === true) throw doesNotExist("no account has this key");
  const contact = readContacts(payload["contact"]);
  if (payload["termsOfServiceAgreed"] !== true) {
    throw new AcmeProblem("userActionRequired", 403, "the terms of service must be agreed to", {
      headers: { link: `<${termsUrl(state)}>;rel="terms-of-service"` },
      members: { instance: termsUrl(state) },
    });
  }
  const eab = await checkBinding(state, url, print, payload["externalAccountBinding"]);
  const account: CaAccount = {
    id: newId(),
    jwk,
    thumbprint: print,
    contact,
    status: "valid",
    terms: termsUrl(state),
    eab,
  };
  state.accounts.set(account.id, account);
  return { status: 201, headers: { location: accountUrl(state, account) }, body: view(state, account) };
}

/** POST to an account's URL: read, change contacts, agree again, deactivate (RFC 8555 §7.3.2–7.3.6). */
export function updateAccount(state: CaState, id: string, { account, payload }: AcmeRequest): AcmeReply {
  ownAccount(id, account);
  const reply = () => ({ status: 200, headers: { location: accountUrl(state, account) }, body: view(state, account) });
  if (payload === undefined) return reply();
  const { status, contact } = payload;
  if (status !== undefined && status !== "deactivated" && status !== account.status) {
    throw malformed(`an account cannot be made "${String(status)}"`);
  }
  if (contact !== undefined) account.contact = readContacts(contact);
  if (payload["termsOfServiceAgreed"] === true) account.terms = termsUrl(state);
  if (status === "deactivated") account.status = "deactivated";
  return reply();
}

/** The account's orders, in pages (RFC 8555 §7.1.2.1). */
export function listOrders(state: CaState, id: string, page: number, { account }: AcmeRequest): AcmeReply {
  ownAccount(id, account);
  const urls = [...state.orders.values()]
    .filter((o) => o.account === account && o.status !== "invalid")
    .map((o) => `${state.origin()}/order/${o.id}`);
  const next = `<${accountUrl(state, account)}/orders?page=${page + 1}>;rel="next"`;
  return {
    status: 200,
    body: { orders: urls.slice(page * ordersPerPage, (page + 1) * ordersPerPage) },
    headers: urls.length > (page + 1) * ordersPerPage ? { link: next } : {},
  };
}

/** RFC 8555 §7.3.5: the payload is a JWS by the new key over the account and its old key. */
export async function changeKey(state: CaState, { url, account, payload }: AcmeRequest): Promise<AcmeReply> {
  const inner = parseJws(payload);
  checkUrl(inner, url);
  if (inner.header["nonce"] !== undefined) throw malformed("the inner JWS must not have a nonce");
  const hint = keyHint(inner);
  if (!("jwk" in hint)) throw malformed('the inner JWS needs "jwk"');
  const change = payloadObject(await verifyJws(inner, hint.jwk));
  if (change?.["account"] !== accountUrl(state, account)) throw malformed("the inner JWS is for another account");
  const old = change["oldKey"];
  const oldPrint = isObject(old) ? await thumbprint(old).catch(() => undefined) : undefined;
  if (oldPrint !== account.thumbprint) throw malformed('"oldKey" is not the key of this account');
  const print = await thumbprint(hint.jwk);
  const holder = accountOfThumbprint(state, print);
  if (holder !== undefined) {
    throw new AcmeProblem("conflict", 409, "another account has the new key", {
      headers: { location: accountUrl(state, holder) },
    });
  }
  account.jwk = hint.jwk;
  account.thumbprint = print;
  return { status: 200, headers: { location: accountUrl(state, account) }, body: view(state, account) };
}

function ownAccount(id: string, account: CaAccount): void {
  if (id !== account.id) throw unauthorized("this is another account");
}

function view(state: CaState, account: CaAccount): unknown {
  return {
    status: account.status,
    contact: account.contact,
    termsOfServiceAgreed: account.terms === termsUrl(state),
    orders: `${accountUrl(state, account)}/orders`,
    ...(account.eab === undefined ? {} : { externalAccountBinding: account.eab }),
  };
}

/** RFC 8555 §7.3: one plain address per mailto, without header fields. */
function readContacts(value: unknown): readonly string[] {
  if (value === undefined) return [];
  if (!Array.isArray(value)) throw malformed('"contact" is no array');
  return value.map((contact: unknown) => {
    if (typeof contact !== "string") throw malformed("a contact is no string");
    if (!contact.startsWith("mailto:")) {
      throw new AcmeProblem("unsupportedContact", 400, `only mailto contacts are supported, not "${contact}"`);
    }
    if (!/^mailto:[^\s,?@]+@[^\s,?@]+\.[^\s,?@.]+$/.test(contact)) {
      throw new AcmeProblem("invalidContact", 400, `"${contact}" is not one e-mail address`);
    }
    return contact;
  });
}

/** RFC 8555 §7.3.4. */
async function checkBinding(state: CaState, url: string, print: string, value: unknown): Promise<unknown> {
  const expected = state.behaviour.eab;
  if (value === undefined) {
    if (expected === undefined) return undefined;
    throw new AcmeProblem("externalAccountRequired", 403, "this CA needs an external account binding");
  }
  const binding = parseJws(value);
  checkUrl(binding, url);
  if (binding.header["nonce"] !== undefined) throw malformed("an external account binding must not have a nonce");
  const kid = binding.header["kid"];
  if (expected === undefined || kid !== expected.kid) throw unauthorized(`the CA knows no key "${String(kid)}"`);
  // Node reads both alphabets.
  const payload = payloadObject(await verifyMac(binding, Buffer.from(expected.hmacKey, "base64")));
  if (payload === undefined || (await thumbprint(payload).catch(() => undefined)) !== print) {
    throw unauthorized("the external account binding is for another account key");
  }
  return value;
}

function doesNotExist(detail: string): AcmeProblem {
  return new AcmeProblem("accountDoesNotExist", 400, detail);
}
