import { describe, expect, it } from "vitest";
import { orderFailure } from "../../src/acme/failure.ts";
import { describeProblem, readProblem, refusal } from "../../src/acme/problem.ts";
import type { Authorization, Order } from "../../src/acme/types.ts";
import type { Problem } from "../../src/core/errors.ts";

const dns = (value: string) => ({ type: "dns", value });
const caa = (name: string, detail = "CAA forbids"): Problem => ({
  type: "urn:ietf:params:acme:error:caa",
  detail,
  identifier: dns(name),
});

describe("a refusal in words", () => {
  it("says what its only subproblem says once, with the name", () => {
    const { identifier, ...said } = caa("example.test");
    const once = "example.test: CAA forbids (caa)";
    expect(describeProblem({ ...said, subproblems: [{ ...said, identifier: dns("example.test") }] })).toBe(once);
    expect(describeProblem({ ...said, ...(identifier && { identifier }), subproblems: [caa("example.test")] })).toBe(
      once,
    );
  });

  it("says each name's reason once, whether the order or the challenge told it", () => {
    const authorizations = ["example.test", "*.example.test"].map((name) => ({
      status: "invalid",
      identifier: dns("example.test"),
      wildcard: name.startsWith("*"),
      challenges: [{ status: "invalid", error: { type: caa(name).type, detail: "CAA forbids" } }],
    }));
    const order = {
      url: "https://ca.test/order/1",
      error: { ...caa("example.test"), subproblems: [caa("example.test")] },
    };
    const { message } = orderFailure(order as unknown as Order, authorizations as unknown as readonly Authorization[]);
    expect(message).toBe("order: the CA refuses: example.test: CAA forbids (caa)\n  *.example.test: CAA forbids (caa)");
  });

  it("keeps a sentence that no subproblem repeats, or that is about another name", () => {
    const { identifier: _, ...said } = caa("", "some names are refused");
    expect(describeProblem({ ...said, subproblems: [caa("a.test"), caa("b.test")] })).toBe(
      "some names are refused (caa)\n  a.test: CAA forbids (caa)\n  b.test: CAA forbids (caa)",
    );
    expect(describeProblem({ ...caa("a.test"), subproblems: [caa("b.test")] })).toBe(
      "a.test: CAA forbids (caa)\n  b.test: CAA forbids (caa)",
    );
  });

  it("of a revocation by an account that may not points to the certificate's own key", () => {
    const body = Buffer.from(JSON.stringify({ type: "urn:ietf:params:acme:error:unauthorized", detail: "not yours" }));
    const answer = { status: 403, headers: {}, body };
    const { hint } = refusal("revokeCert", "https://ca.test/revoke", answer as never, 0);
    expect(hint).toContain("--by-key");
    expect(refusal("newOrder", "https://ca.test/order", answer as never, 0).hint).not.toContain("--by-key");
  });
});

describe("a problem document that nests without end", () => {
  it.each(["subproblems", "more"])("in %s is read as far as one may", (member) => {
    let inner: object = { type: "urn:ietf:params:acme:error:malformed", detail: "the innermost" };
    for (let i = 0; i < 30_000; i++) inner = { type: "about:blank", detail: "again", [member]: [inner] };
    const problem = readProblem(inner);
    expect(problem).toMatchObject({ detail: "again" });
    expect(JSON.stringify(problem).length).toBeLessThan(1_000);
    expect(describeProblem(problem as Problem)).toContain("again");
  });
});
