import { type TxtRecord, unquoteTxt, z } from "../../src/index.ts";

const record = z.object({
  RecordId: z.string(),
  Value: z.string(),
  Line: z.string().default("default"),
  Status: z.string().optional(),
});

/** Of a write: without the record's id it is somebody else's answer, and whether anything was done is unknown. */
export const writeAnswer = z.object({ RecordId: z.string() });

/** A page of DescribeSubDomainRecords. */
export const recordPage = z.object({ TotalCount: z.number(), DomainRecords: z.object({ Record: z.array(record) }) });

export function txtRecord({ RecordId: id, Value, Status = "" }: z.output<typeof record>): TxtRecord {
  return { id, value: unquoteTxt(Value), isOff: /^disable$/i.test(Status) };
}
