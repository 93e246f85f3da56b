import type { AccessReview } from "../../kubernetes/api.ts";
import { KubernetesError } from "../../kubernetes/error.ts";
import { type Account, accountText, type Context, groupsOf, userOf } from "./context.ts";
import { type Finding, warning } from "./finding.ts";

/** Whether a ServiceAccount may do something; a finding where that could not be asked. */
export async function mayDo(
  account: Account,
  resource: NonNullable<AccessReview["resource"]>,
  { kube, signal }: Context,
): Promise<boolean | Finding> {
  try {
    return (await kube.reviewAccess({ user: userOf(account), groups: groupsOf(account), resource }, signal)).allowed;
  } catch (error) {
    if (!(error instanceof KubernetesError)) throw error;
    const what = `rights of ServiceAccount ${accountText(account)}`;
    const cause = `could not be asked for: ${error.message}`;
    return warning({ check: "rights", what, cause, next: "Run this with a user who may create SubjectAccessReviews." });
  }
}
