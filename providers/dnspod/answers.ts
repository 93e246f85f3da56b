import { z } from "../../src/index.ts";

export const domainAnswer = z.object({ DomainInfo: z.object({ Status: z.string().optional() }) });
export const domainList = z.object({ DomainList: z.array(z.object({ Name: z.string() })) });
const text = z.string();
export const record = z.object({
  RecordId: z.number(),
  Value: text,
  Line: text,
  LineId: text.nullish().transform((id) => id ?? undefined),
  Status: text.optional(),
});
export const listAnswer = z.object({
  RecordCountInfo: z.object({ TotalCount: z.number() }),
  RecordList: z
    .array(record)
    .nullish()
    .transform((list) => list ?? []),
});
/** Of writes: an answer without these is not the API's, and whether anything was done is unknown. */
export const createAnswer = z.object({ RecordId: z.number() });
export const deleteAnswer = z.object({ RequestId: z.string() });
/** Codes of a name that is not a zone of this account. */
export const notOurs = [
  "InvalidParameterValue.DomainNotExists",
  "InvalidParameter.DomainInvalid",
  "InvalidParameter.DomainIdInvalid",
  "InvalidParameter.DomainTooLong",
  "OperationDenied.NoPermissionToOperateDomain",
  "FailedOperation.NotDomainOwner",
  "FailedOperation.NotResourceOwner",
  "ResourceNotFound",
  "ResourceNotFound.NoDataOfDomain",
];
export const nothing = { RecordCountInfo: { TotalCount: 0 }, RecordList: [] };
