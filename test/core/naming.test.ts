import { expect, test } from "vitest";
import { z } from "zod";
import { createNaming } from "../../src/core/naming.ts";
import { fieldsOf } from "../../src/core/schema.ts";

const fields = fieldsOf({
  id: "fake",
  config: z.strictObject({ zoneID: z.string().optional().describe("id of the zone") }),
  traits: { ttlSeconds: { min: 1, default: 60 } },
});
const hint = "Check zoneID (FAKE_ZONE_ID) and the endpoint.";

test("a hint names a field once where its place is the field itself", () => {
  expect(createNaming(fields, { zoneID: "zoneID" })(hint)).toBe("Check zoneID and the endpoint.");
  expect(createNaming(fields, { zoneID: "config.zoneID" })(hint)).toBe(
    "Check zoneID (config.zoneID) and the endpoint.",
  );
  expect(createNaming(fields, {})(hint)).toBe(hint);
});
