import { AcmeError, Dns01Error, type Problem } from "../core/errors.ts";
import { fanOut } from "./fan-out.ts";
import { describeProblem, hintFor } from "./problem.ts";
import type { AcmeClient, Authorization, Order } from "./types.ts";

/** Why the order became invalid: its own problem, and that of every challenge that failed, with its name. */
export async function failureOf(client: AcmeClient, order: Order, signal: AbortSignal): Promise<AcmeError> {
  const shared = fanOut(signal);
  const read = await Promise.all(
    order.authorizations.map((url) =>
      client.authorization(url, shared).catch((error: unknown) => {
        // The reasons are a help; that the order has failed is known without them.
        if (Dns01Error.is(error) && error.code !== "ABORTED") return undefined;
        throw error;
      }),
    ),
  );
  return orderFailure(
    order,
    read.filter((authorization) => authorization !== undefined),
  );
}

/** The error for an order that cannot succeed, from what is known of its authorizations. */
export function orderFailure(order: Order | undefined, authorizations: readonly Authorization[]): AcmeError {
  const subproblems = authorizations.flatMap(problemsOf);
  const types = new Set(subproblems.map((problem) => problem.type));
  const only = types.size === 1 ? subproblems[0]?.type : undefined;
  const fallback = subproblems.length === 0 ? "about:blank" : "urn:ietf:params:acme:error:compound";
  const names = subproblems.map((problem) => problem.identifier?.value).join(", ");
  const problem: Problem = {
    ...order?.error,
    type: only ?? order?.error?.type ?? fallback,
    detail: order?.error?.detail ?? (names === "" ? "the order is invalid" : `validation failed for ${names}`),
    ...(subproblems.length === 0 ? {} : { subproblems: [...(order?.error?.subproblems ?? []), ...subproblems] }),
  };
  return new AcmeError(`order: the CA refuses: ${describeProblem(problem)}`, problem, {
    operation: "order",
    hint: hintFor(problem),
    details: order === undefined ? {} : { order: order.url },
  });
}

function problemsOf(authorization: Authorization): readonly Problem[] {
  if (authorization.status === "valid" || authorization.status === "pending") {
    // A pending one can have failed already at servers that are slow to sum up.
    return authorization.challenges.flatMap(({ status, error }) =>
      status === "invalid" && error !== undefined && authorization.status === "pending"
        ? [named(error, authorization)]
        : [],
    );
  }
  const errors = authorization.challenges.flatMap(({ error }) => (error === undefined ? [] : [error]));
  if (errors.length > 0) return errors.map((error) => named(error, authorization));
  return [named({ type: "about:blank", detail: `the authorization is ${authorization.status}` }, authorization)];
}

function named(problem: Problem, { identifier, wildcard }: Authorization): Problem {
  const value = wildcard ? `*.${identifier.value}` : identifier.value;
  return { ...problem, identifier: { type: identifier.type, value } };
}
