import { expect, it } from "vitest";
import { readAuthorization, readChallenge, readOrder } from "../../src/acme/objects.ts";

const identifier = { type: "dns", value: "example.test" };

it("addresses are relative to where they were found, and absolute ones stay to the letter", () => {
  const order = readOrder(
    {
      status: "valid",
      identifiers: [identifier],
      authorizations: ["/acme/authz/1", "https://ca.test:443/Acme/%7eauthz"],
      finalize: "1/finalize",
      certificate: "//cdn.ca.test/cert/1",
    },
    "https://ca.test/acme/order/1",
    "order",
  );
  expect(order.authorizations).toEqual(["https://ca.test/acme/authz/1", "https://ca.test:443/Acme/%7eauthz"]);
  expect(order.finalize).toBe("https://ca.test/acme/order/1/finalize");
  expect(order.certificate).toBe("https://cdn.ca.test/cert/1");
});

it("a challenge's address is relative to its authorization, or to its own", () => {
  const challenge = { type: "dns-01", url: "/acme/chall/1", status: "pending", token: "abc" };
  const found = { status: "pending", identifier, challenges: [challenge] };
  const { challenges } = readAuthorization(found, "https://ca.test/acme/authz/1", "authorization");
  expect(challenges[0]?.url).toBe("https://ca.test/acme/chall/1");
  expect(readChallenge(challenge, "https://ca.test/acme/chall/1")?.url).toBe("https://ca.test/acme/chall/1");
});

it("an empty certificate address is none", () => {
  const raw = {
    status: "pending",
    identifiers: [],
    authorizations: [],
    finalize: "https://ca.test/f",
    certificate: "",
  };
  expect(readOrder(raw, "https://ca.test/o", "order")).not.toHaveProperty("certificate");
});
