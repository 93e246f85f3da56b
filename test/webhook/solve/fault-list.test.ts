import fc from "fast-check";
import { expect, test } from "vitest";
import { ConfigError } from "../../../src/core/errors.ts";
import { loadProvider } from "../../../src/providers.ts";
import { readIssuerConfig } from "../../../src/webhook/solve/config.ts";
import { listFaults } from "../../../src/webhook/solve/fault-list.ts";
import { failureOf } from "../../../src/webhook/solve/message.ts";

async function told(id: string, config: unknown): Promise<string> {
  try {
    readIssuerConfig(await loadProvider(id), config, { allowed: [] });
  } catch (error) {
    return failureOf(error, { provider: id, owner: "_acme-challenge.example.com" }).message;
  }
  throw new Error("a fault was expected");
}

const reference = { name: "credentials", key: "k" };

test("a key that no field has is not hidden behind what is missing because of it", async () => {
  const config = {
    apiUser: "x",
    zoneToken: "t",
    apiTokenSecretReff: reference,
    endpiont: "https://api.cloudflare.com",
  };
  const message = await told("cloudflare", config);
  expect(message.length).toBeLessThanOrEqual(300);
  expect(message).toContain("config.apiTokenSecretReff is unknown: did you mean apiTokenSecretRef?");
  expect(message).toContain("config.endpiont is unknown: did you mean endpoint?");
  expect(message).toMatch(/config\.apiUser is unknown/);
  expect(message).toContain("config.zoneToken is a secret");
  expect(message).toBe(await told("cloudflare", Object.fromEntries(Object.entries(config).toReversed())));
});

test("descriptions give way to the places of all faults", async () => {
  const message = await told("huaweicloud", {
    regoin: "eu-west-101",
    accesKeyIdSecretRef: reference,
    secretAccessKey: "x",
  });
  expect(message.length).toBeLessThanOrEqual(300);
  for (const path of ["regoin", "accesKeyIdSecretRef", "secretAccessKey", "accessKeyIdSecretRef"])
    expect(message).toMatch(new RegExp(`config\\.${path}\\b`, "i"));
});

test("a short list is told whole, in its order", () => {
  const issues = [
    { path: "config.a", message: "is missing (the token)" },
    { path: "config.b", message: "is not a field of this provider; did you mean a?" },
  ];
  expect(listFaults(issues, 200)).toBe(
    "config.a is missing (the token); config.b is not a field of this provider; did you mean a?",
  );
  expect(listFaults(issues, 80)).toBe("config.b is unknown: did you mean a?; config.a is missing (the token)");
  expect(listFaults(issues, 60)).toBe("config.b is unknown: did you mean a?; config.a is missing");
  expect(listFaults(issues, 50)).toBe("config.b is unknown: did you mean a?; config.a");
  expect(listFaults(issues, 30)).toBe("config.b; config.a is missing");
  expect(listFaults([{ path: "", message: `policy: ${"no ".repeat(50)}` }], 40)).toBe(
    "policy: no no no no no no no no no no n…",
  );
});

test("whatever is wrong, every place is named or counted, and unknown keys come with what was meant first", () => {
  const key = fc.string({ unit: fc.constantFrom(..."abcdefgh"), minLength: 1, maxLength: 90 });
  const message = fc.oneof(
    fc.string({ maxLength: 40 }).map((text) => `is missing (${text})`),
    fc.constant("is not a field of this provider; did you mean apiTokenSecretRef?"),
    fc.string({ maxLength: 200 }),
  );
  const issue = fc.record({ path: key.map((name) => `config.${name}`), message });
  fc.assert(
    fc.property(fc.uniqueArray(issue, { selector: ({ path }) => path, maxLength: 40 }), (issues) => {
      const line = listFaults(issues, 270);
      expect(line.length).toBeLessThanOrEqual(270);
      const [, more] = /and (\d+) more$/.exec(line) ?? [];
      const place = (path: string) => (path.length > 60 ? path.slice(0, 60) : path);
      const hidden = issues.filter(({ path }) => !line.includes(place(path)));
      expect(hidden.length).toBeLessThanOrEqual(Number(more ?? 0));
      if (issues.map(({ path }) => place(path)).join("…; ").length < 200) expect(more).toBeUndefined();
    }),
    { seed: 5, numRuns: 500 },
  );
});

test("a ConfigError of many faults is at most 300 characters", () => {
  const issues = Array.from({ length: 60 }, (_, i) => ({
    path: `config.key${i}`,
    message: "is not a field of this provider",
  }));
  const { message } = failureOf(new ConfigError(issues), { provider: "dnspod" });
  expect(message.length).toBeLessThanOrEqual(300);
  expect(message).toMatch(/^dnspod: 60 faults: config\.key0; .*; and \d+ more$/);
});
