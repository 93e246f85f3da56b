import { readAccount, readAccountBody } from "./answers.ts";
import type { HttpClient, Resource, Signed } from "./jws.ts";
import { isProblem, unlessRefused } from "./problem.ts";
import type { Account, AcmeClient } from "./types.ts";

/** What the account's requests need of the client they belong to. */
interface Signing {
  readonly jws: HttpClient;
  readonly signerOf: (key: string) => HttpClient;
  readonly post: <T>(url: string, request: Signed<T>) => Promise<T>;
  readonly postTo: <T>(
    resource: Resource,
    signal: AbortSignal,
    request: (url: string) => Omit<Signed<T>, "signal">,
  ) => Promise<T>;
  readonly accountUrl: () => string | undefined;
  readonly setAccountUrl: (url: string) => void;
}

type AccountRequests = Pick<AcmeClient, "findAccount" | "newAccount" | "updateAccount" | "changeKey" | "revoke">;

/** The requests of RFC 8555 §7.3 and §7.6: account, its key, and revocation, where it matters who signs. */
export function accountRequests({ jws, signerOf, post, postTo, accountUrl, setAccountUrl }: Signing): AccountRequests {
  const ask = (
    operation: string,
    signal: AbortSignal,
    payload: (url: string) => object,
    signer = jws,
    recover?: () => Promise<Account | undefined>,
  ) =>
    postTo<Account>("newAccount", signal, (url) => ({
      operation,
      payload: payload(url),
      byKey: true,
      signer,
      read: (answer) => readAccount(answer, url, operation),
      recover,
    }));

  const find = async (
    signal: AbortSignal,
    contact: readonly string[] = [],
    signer = jws,
  ): Promise<Account | undefined> => {
    const payload = { onlyReturnExisting: true, ...(contact.length === 0 ? {} : { contact }) };
    try {
      return await ask("findAccount", signal, () => payload, signer);
    } catch (error) {
      if (isProblem(error, "accountDoesNotExist")) return undefined;
      throw error;
    }
  };

  const knownUrl = (operation: string): string => {
    const url = accountUrl();
    if (url === undefined) throw new Error(`${operation} needs an account: call newAccount or findAccount first`);
    return url;
  };

  return {
    async findAccount(signal, contact) {
      const found = await find(signal, contact);
      if (found !== undefined) setAccountUrl(found.url);
      return found;
    },

    async newAccount({ contact, termsOfServiceAgreed, eab }, signal) {
      const payload = (url: string) => ({
        termsOfServiceAgreed,
        ...(contact.length === 0 ? {} : { contact }),
        ...(eab === undefined
          ? {}
          : { externalAccountBinding: jws.createSignedHmacBody(eab.hmacKey, url, jws.getJwk(), { kid: eab.kid }) }),
      });
      // The first attempt may have used up the external account binding.
      const recover = () => find(signal, contact).catch(unlessRefused);
      const made = await ask("newAccount", signal, payload, jws, recover);
      setAccountUrl(made.url);
      return made;
    },

    async updateAccount(change, signal) {
      const url = knownUrl("updateAccount");
      const read = readAccountBody;
      const said = await post(url, { operation: "updateAccount", signal, payload: change, read });
      return { ...said, url };
    },

    async changeKey(newKey, signal) {
      const account = knownUrl("keyChange");
      const signer = signerOf(newKey);
      await postTo<true>("keyChange", signal, (url) => ({
        operation: "keyChange",
        payload: signer.createSignedBody(url, { account, oldKey: jws.getJwk() }, {}),
        read: () => true,
        recover: async () => ((await find(signal, [], signer))?.url === account ? true : undefined),
      }));
    },

    async revoke(certificate, { reason, byKey = false }, signal) {
      try {
        await postTo<true>("revokeCert", signal, () => ({
          operation: "revokeCert",
          payload: {
            certificate: Buffer.from(certificate).toString("base64url"),
            ...(reason === undefined ? {} : { reason }),
          },
          byKey,
          read: () => true,
        }));
        return "changed";
      } catch (error) {
        if (isProblem(error, "alreadyRevoked")) return "unchanged";
        throw error;
      }
    },
  };
}
