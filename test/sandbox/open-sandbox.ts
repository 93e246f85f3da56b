import { afterAll } from "vitest";
import { type Sandbox, type SandboxOptions, startSandbox } from "../../src/sandbox/index.ts";
import { type RawAcme, rawAcme } from "./raw-acme.ts";

export interface OpenSandbox {
  readonly sandbox: Sandbox;
  /** With an account. */
  readonly client: RawAcme;
}

/** For one file of tests: starts sandboxes, each with a client, and ends them all after the last test. */
export function sandboxes(): (options: SandboxOptions) => Promise<OpenSandbox> {
  const closers: (() => Promise<void> | void)[] = [];
  afterAll(async () => {
    for (const close of closers.reverse()) await close();
  });
  return async (options) => {
    const sandbox = await startSandbox(options);
    const client = await rawAcme(sandbox);
    closers.push(sandbox.close, () => client.close());
    await client.register();
    return { sandbox, client };
  };
}
