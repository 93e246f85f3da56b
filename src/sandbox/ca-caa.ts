import { selfAndParents } from "../core/name.ts";
import type { ResourceRecord } from "../dns/message.ts";
import type { Lookup } from "./ca-lookup.ts";
import type { ValidationRequest } from "./ca-validation.ts";

type Caa = Extract<ResourceRecord, { readonly tag: string }>;

const knownTags: readonly string[] = ["issue", "issuewild", "iodef", "contactemail", "contactphone", "issuemail"];

/**
 * RFC 8659 §3 with the parameters of RFC 8657: the closest CAA set up the tree decides; every server's set must allow.
 * Returns why it is refused, or undefined.
 */
export async function checkCaa(
  lookup: Lookup,
  request: ValidationRequest,
  issuerDomain: string,
): Promise<string | undefined> {
  for (const name of selfAndParents(request.base)) {
    const views = await lookup.everywhere(name, "CAA");
    const sets = views.map((v) => v.message.answers.filter(isCaa)).filter((set) => set.length > 0);
    if (sets.length === 0) continue;
    const isForbidden = sets.some((set) => !allows(set, request, issuerDomain));
    return isForbidden
      ? `the CAA records of ${name} do not allow ${issuerDomain} to issue for ${request.base}`
      : undefined;
  }
  return undefined;
}

function allows(set: readonly Caa[], request: ValidationRequest, issuerDomain: string): boolean {
  const tagged = (tag: string) => set.filter((r) => r.tag.toLowerCase() === tag);
  if (set.some((r) => (r.flags & 0x80) !== 0 && !knownTags.includes(r.tag.toLowerCase()))) return false;
  const wild = request.wildcard ? tagged("issuewild") : [];
  const relevant = wild.length > 0 ? wild : tagged("issue");
  // RFC 8659 §4.2: a set without the property does not restrict.
  if (relevant.length === 0) return true;
  return relevant.some((r) => names(Buffer.from(r.value).toString("latin1"), request, issuerDomain));
}

/** `issuer.example; name=value; …` (RFC 8659 §4.2); an empty issuer allows nobody. */
function names(value: string, request: ValidationRequest, issuerDomain: string): boolean {
  const [issuer = "", ...parameters] = value.split(";").map((part) => part.trim());
  if (issuer.toLowerCase() !== issuerDomain) return false;
  return parameters.every((parameter) => {
    if (parameter === "") return true;
    const at = parameter.indexOf("=");
    const tag = parameter.slice(0, at).trim().toLowerCase();
    const content = parameter.slice(at + 1).trim();
    if (tag === "accounturi") return content === request.accountUrl;
    if (tag === "validationmethods") return content.split(",").includes(request.type);
    return at > 0;
  });
}

function isCaa(record: ResourceRecord): record is Caa {
  return "tag" in record;
}
