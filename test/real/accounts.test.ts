import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { cli, issueArgs, labEnv } from "./lab/cli.ts";
import { describeInLab } from "./lab/suite.ts";

const { parse } = JSON;

describeInLab("accounts and revocation at Pebble", (inLab) => {
  test("a rolled-over key goes on with the account; revocation by account and by key; the end", async () => {
    const lab = inLab();
    const env = labEnv(lab);
    const run = async (...args: readonly string[]) => {
      const done = await cli(args, env);
      expect(`${done.status} ${done.status === 0 ? "" : done.stderr}`).toBe("0 ");
      return parse(done.stdout);
    };
    const issue = (...names: readonly string[]) => run(...issueArgs(names));
    await issue("zone0.test", "*.zone0.test");
    const account = await run("account", "show", "--json");
    expect(account).toMatchObject({ status: "valid", keyType: "ec256" });

    const changed = await run("account", "rollover", "--json");
    expect(changed.url).toBe(account.url);
    expect(changed.thumbprint).not.toBe(account.thumbprint);
    expect(await run("account", "show", "--json")).toMatchObject({ url: account.url, thumbprint: changed.thumbprint });
    await issue("zone1.test");

    expect(await run("revoke", "zone0.test", "--reason", "superseded", "--json")).toMatchObject({ changed: true });
    expect(await run("revoke", "zone0.test", "--json")).toMatchObject({
      changed: false,
      revoked: { reason: "superseded" },
    });
    expect(await run("show", "zone0.test", "--json")).toMatchObject({ revoked: { reason: "superseded" } });
    // A revoked certificate is none: asked for by name it is ordered anew.
    expect(await issue("zone0.test", "*.zone0.test")).toMatchObject({ reused: false });
    expect(await run("show", "zone0.test", "--json")).not.toHaveProperty("revoked");

    const ended = await run("account", "deactivate", "--yes", "--json");
    expect(ended.status).toBe("deactivated");
    expect(await readFile(join(ended.keptAt, "key.pem"), "utf8")).toContain("PRIVATE KEY");
    const without = await cli(["revoke", "zone1.test"], env);
    expect([without.status, without.stderr]).toEqual([2, expect.stringContaining("--by-key")]);
    expect(await run("revoke", "zone1.test", "--by-key", "--reason", "1", "--json")).toMatchObject({ changed: true });

    const refused = await cli(["delete", "zone0.test"], env);
    expect([refused.status, refused.stderr]).toEqual([2, expect.stringContaining("--yes")]);
    expect(await run("delete", "zone0.test", "--yes", "--json")).toMatchObject({ deleted: true });
    // Revoked: no question is asked.
    await run("delete", "zone1.test", "--json");
    expect(await run("list", "--json")).toMatchObject({ certificates: [] });

    expect(await issue("zone1.test")).toMatchObject({ reused: false });
    expect((await run("account", "show", "--json")).url).not.toBe(account.url);
  });
});
