import { AuthError, commandBackend, defineProvider, HttpError, RejectedError, secret, z } from "../src/index.ts";

const config = z
  .strictObject({
    endpoint: z
      .url({ protocol: /^https?$/, error: "is no http:// or https:// URL" })
      .refine((url) => !/^[a-z]+:\/\/[^/?#]*@/i.test(url), "has a login in it; give it as username and password")
      .refine((url) => !url.includes("#"), "has a fragment (#), which is never sent")
      .meta({
        description: "address that /present and /cleanup are appended to, before its query if it has one",
        aliases: ["url"],
        endpoint: true,
      }),
    username: z.string().min(1, "is empty").describe("user name for Basic authentication").optional(),
    password: secret("password for Basic authentication").optional(),
    mode: z
      .string()
      .refine(
        (mode) => mode.toUpperCase() !== "RAW",
        "cannot be RAW: that needs the key authorization, and a provider is only given the TXT value",
      )
      .refine((mode) => /^(|raw)$/i.test(mode), "is not known; leave it out")
      .default("")
      .describe("only the default mode is spoken: leave it empty"),
  })
  .superRefine(({ username, password }, { addIssue }) => {
    const missing = username === undefined ? "username" : "password";
    if ((username === undefined) === (password === undefined)) return;
    addIssue({ code: "custom", path: [missing], message: "is missing: username and password go together" });
  });

export default defineProvider({
  id: "httpreq",
  title: "HTTP request",
  docs: "https://go-acme.github.io/lego/dns/httpreq/",
  config,
  // The protocol has no TTL; whoever serves the record decides.
  traits: { ttlSeconds: { min: 1, default: 60 } },
  classify: (cause) => {
    if (!(cause instanceof HttpError)) return undefined;
    if (cause.status === 404 || cause.status === 405) {
      const hint = "Check endpoint (HTTPREQ_ENDPOINT): the server takes POST at /present and /cleanup below it.";
      return new RejectedError(cause.message, { cause, hint, serviceCode: String(cause.status) });
    }
    if (cause.status !== 401 && cause.status !== 403) return undefined;
    const hint = "Check HTTPREQ_USERNAME and HTTPREQ_PASSWORD, and what the server lets them write.";
    return new AuthError(cause.message, { cause, hint });
  },
  connect: ({ endpoint, username, password }, { http }) => {
    const login =
      username === undefined
        ? {}
        : { authorization: `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}` };
    // What is appended comes before a query.
    const { origin, pathname, search } = new URL(endpoint);
    const api = http(`${origin}${pathname}`, login);
    const post = async (path: string, fqdn: string, value: string, signal: AbortSignal): Promise<void> => {
      // Any 2xx is success, whatever its body says.
      await api(`${path}${search}`, { body: { fqdn: `${fqdn}.`, value }, answer: "any", signal });
    };
    return commandBackend({
      present: ({ fqdn }, value, { signal }) => post("present", fqdn, value, signal),
      cleanUp: ({ fqdn }, value, { signal }) => post("cleanup", fqdn, value, signal),
    });
  },
});
