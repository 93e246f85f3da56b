import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import exec from "../../providers/exec.ts";
import type { Dns01Event } from "../../src/core/events.ts";
import { fieldsOf, resolveConfig } from "../../src/core/fields.ts";
import { parseName } from "../../src/core/name.ts";
import type { TxtBackend } from "../../src/core/provider.ts";
import { createRedactor } from "../../src/core/redact.ts";
import { connectProvider, connectSolver } from "../../src/providers.ts";
import { connectBackend, testProvider } from "../../src/testing/index.ts";
import { expectInPage } from "./trial/page.ts";
import { strictly } from "./trial.ts";

const apex = parseName("example.com");
const fqdn = parseName("_acme-challenge.example.com");

let dir = "";
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "dns01-exec-"));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

async function script(name: string, body: string): Promise<string> {
  const path = join(dir, name);
  await writeFile(path, `#!/bin/sh\n${body}\n`);
  await chmod(path, 0o755);
  return path;
}

interface Connected {
  readonly backend: TxtBackend;
  readonly events: readonly Dns01Event[];
  readonly stop: AbortController;
  change(add: readonly string[], remove?: readonly string[]): Promise<unknown>;
}

async function connect(
  path: string,
  options: { readonly secret?: string; readonly attempts?: number } = {},
): Promise<Connected> {
  const events: Dns01Event[] = [];
  const stop = new AbortController();
  const redactor = createRedactor();
  if (options.secret !== undefined) redactor.add(options.secret);
  const backend = await connectProvider(
    exec,
    { path },
    {
      signal: stop.signal,
      ownConfig: true,
      redactor,
      observer: (event) => void events.push(event),
      retry: { attempts: options.attempts ?? 1, baseMs: 1, maxMs: 1 },
    },
  );
  const call = { signal: stop.signal, ttlSeconds: 60 };
  return {
    backend,
    events,
    stop,
    change: async (add, remove = []) => {
      const zone = await backend.findZone(apex, call);
      if (zone === undefined) throw new Error("no zone");
      return backend.apply(zone, [{ owner: { zone, fqdn, relative: "_acme-challenge" }, add, remove }], call);
    },
  };
}

/** Keeps each value as a file, so that putting and taking are atomic and may be done twice. */
const keeper = (store: string) => `
store='${store}'
case "$1" in
  present) mkdir -p "$store/$2" && : > "$store/$2/$3" ;;
  cleanup) rm -f "$store/$2/$3" ;;
  *) exit 64 ;;
esac`;

const untold = "the protocol does not tell whether the value was there";
const zoneless = "the protocol knows no zones; the program finds its own";
const noNetwork = "there is no connection of ours to disturb";

const soak = process.env["DNS01_SOAK"] === "1";
if (soak) vi.setConfig({ testTimeout: 600_000 });

test("runs once for each value, and for nothing else", async () => {
  const log = join(dir, "economy.log");
  const path = await script("economy.sh", `echo "$1" >> '${log}'`);
  const { config, ttlSeconds } = await resolveConfig(exec, { config: { path } });
  const { signal } = new AbortController();
  const solver = await connectSolver(exec, { config, ttlSeconds }, { signal, ownConfig: true });
  const items = (...values: string[]) => [{ owner: fqdn, values }];
  const names = Array.from({ length: 20 }, (_, i) => ({
    owner: parseName(`_acme-challenge.host-${i}.example.com`),
    values: ["value"],
  }));
  const runsOf = async (work: () => Promise<unknown>) => {
    await writeFile(log, "");
    await work();
    const lines = (await readFile(log, "utf8")).trim().split("\n");
    return `${lines.length} ${[...new Set(lines)].join()}`;
  };
  expect(await runsOf(() => solver.present(items("one"), signal))).toBe("1 present");
  expect(await runsOf(() => solver.present(items("two"), signal))).toBe("1 present");
  expect(await runsOf(() => solver.cleanUp(items("one"), signal))).toBe("1 cleanup");
  expect(await runsOf(() => solver.present(items("apex", "wildcard"), signal))).toBe("2 present");
  expect(await runsOf(() => solver.cleanUp(items("apex", "wildcard"), signal))).toBe("2 cleanup");
  expect(await runsOf(() => solver.present(names, signal))).toBe("20 present");
  expect(await runsOf(() => solver.cleanUp(names, signal))).toBe("20 cleanup");
});

const skip = {
  "adding.again": untold,
  "adding.owners": untold,
  "removing.gone": untold,
  "removing.nothing": untold,
  "restarts.adding": untold,
  "restarts.lost-add": noNetwork,
  "restarts.lost-remove": noNetwork,
  "paging.values": untold,
  "paging.names": untold,
  "zones.absent": zoneless,
  "zones.boundary": zoneless,
  "zones.exact": zoneless,
  "zones.longer": zoneless,
  "zones.nested": zoneless,
  "siblings.octets": "what stands beside a value is up to the program",
  "siblings.types": "the protocol knows TXT values only",
  "siblings.ttl": "the protocol knows no TTL",
  "adding.ttl": "the protocol knows no TTL",
  "errors.credentials": "the program's credentials are its own",
  "errors.words": "a program's words are not shown; its status is, which is tried by itself",
  "secrecy.errors": "there is no secret among its fields",
  "secrecy.events": "there is no secret among its fields",
  "errors.unreachable": noNetwork,
  "errors.abort": "a program that does not end is tried by itself",
  "errors.signal": "a program that does not end is tried by itself",
  "errors.one-zone": zoneless,
  "errors.retry-after": noNetwork,
  "faults.last": noNetwork,
  "faults.not-found-page": noNetwork,
  "errors.temporary": noNetwork,
  "faults.throttle": noNetwork,
  "faults.unavailable": noNetwork,
  "faults.reset": noNetwork,
  "faults.page": noNetwork,
  "faults.lost": noNetwork,
  "faults.owners": noNetwork,
};

test("its page says which rules are left out, and why", () => expectInPage("exec", skip));

testProvider(
  strictly,
  {
    provider: exec,
    skip,
    start: async () => {
      const store = await mkdtemp(join(dir, "store-"));
      const path = await script(`keep-${store.slice(-6)}.sh`, keeper(store));
      const folder = (name: string) => join(store, `${name}.`);
      return {
        connect: (signal) => connectBackend(exec, { path }, signal),
        values: async (_apex, name) => readdir(folder(name)).catch(() => []),
        put: async (_apex, name, values) => {
          await mkdir(folder(name), { recursive: true });
          for (const value of values) await writeFile(join(folder(name), value), "");
        },
        stop: async () => {},
      };
    },
  },
  // A process for each.
  { operations: soak ? 1000 : 30 },
);

test("runs the program as lego does: act, name with its final dot, value; each an argument of its own", async () => {
  const out = join(dir, "arguments");
  const path = await script(
    "arguments.sh",
    `for a in "$#" "$@"; do printf '<%s>' "$a"; done >> '${out}'; echo >> '${out}'`,
  );
  const { change } = await connect(path);
  expect(await change(["-$(touch x) *\n;"])).toEqual(["changed"]);
  await change([], ["one"]);
  expect(await readFile(out, "utf8")).toBe(
    "<3><present><_acme-challenge.example.com.><-$(touch x) *\n;>\n<3><cleanup><_acme-challenge.example.com.><one>\n",
  );
});

test("tells the debug log what the program wrote, secrets masked, and nothing else", async () => {
  const path = await script("talks.sh", "echo hello; echo token s3cret-t0ken >&2; printf 'no line end'");
  const { change, events } = await connect(path, { secret: "s3cret-t0ken" });
  await change(["one"]);
  const texts = events.flatMap((event) => (event.type === "log" ? [`${event.level} ${event.text}`] : []));
  const line = (text: string) => `debug exec: present _acme-challenge.example.com: ${text}`;
  expect(texts.sort()).toEqual([line("hello"), line("no line end"), line("token ***")]);
  expect(JSON.stringify(events)).not.toContain("s3cret");
});

test("leaves out what a program writes beyond all measure", async () => {
  const path = await script("floods.sh", "yes 'a line of text' | head -c 1000000");
  const { change, events } = await connect(path);
  await change(["one"]);
  const texts = events.flatMap((event) => (event.type === "log" ? [event.text] : []));
  expect(texts.at(-1)).toContain("the rest of the output is left out");
  expect(texts.join("\n").length).toBeLessThan(1_000_000);
});

test.each([
  [1, "REJECTED"],
  [75, "TRANSIENT"],
  [77, "AUTH"],
  [127, "REJECTED"],
])("status %i is %s, in the same words each time", async (status, code) => {
  const path = await script(`status-${status}.sh`, `date; exit ${status}`);
  const message = `exec: cannot create TXT at ${fqdn}: ${path} present ended with status ${status}`;
  const hint = expect.stringContaining("--log-level debug");
  for (const { change } of [await connect(path), await connect(path)])
    await expect(change(["one"])).rejects.toMatchObject({ code, message, hint });
});

test("status 75 is tried again", async () => {
  const mark = join(dir, "mark");
  const path = await script("later.sh", `[ -e '${mark}' ] && exit 0; : > '${mark}'; exit 75`);
  expect(await (await connect(path, { attempts: 3 })).change(["one"])).toEqual(["changed"]);
});

test("a program that was killed may have done its work, so it is tried again", async () => {
  const path = await script("dies.sh", "kill -9 $$");
  await expect((await connect(path)).change(["one"])).rejects.toMatchObject({
    code: "TRANSIENT",
    message: expect.stringContaining("was ended by SIGKILL"),
  });
});

test("says why a program cannot be started", async () => {
  const none = await connect(join(dir, "none"));
  await expect(none.change(["one"])).rejects.toMatchObject({
    code: "REJECTED",
    message: expect.stringContaining("ENOENT"),
  });
  const plain = join(dir, "plain");
  await writeFile(plain, "no program");
  const { change } = await connect(plain);
  await expect(change(["one"])).rejects.toMatchObject({
    code: "REJECTED",
    message: expect.stringContaining("EACCES"),
    hint: expect.stringContaining("EXEC_PATH"),
  });
});

test("ends a program that does not end, and what it has started", async () => {
  const pids = join(dir, "pids");
  const path = await script(
    "hangs.sh",
    `trap '' TERM\n(trap '' TERM; sleep 600) &\necho $$ $! > '${pids}.new'; mv '${pids}.new' '${pids}'; sleep 600`,
  );
  const { change, stop } = await connect(path);
  const work = change(["one"]);
  const started = async (): Promise<readonly number[]> => {
    const text = await readFile(pids, "utf8").catch(() => "");
    if (text !== "") return text.trim().split(" ").map(Number);
    await new Promise((resolve) => setTimeout(resolve, 10));
    return started();
  };
  const running = await started();
  expect(running.map(alive)).toEqual([true, true]);
  stop.abort(new Error("enough"));
  await expect(work).rejects.toThrow("enough");
  await expect.poll(() => running.map(alive), { timeout: 5000 }).toEqual([false, false]);
});

test("does not wait for what a program left in the background", async () => {
  const path = await script("leaves.sh", "sleep 600 & echo $!");
  const { change, events } = await connect(path);
  expect(await change(["one"])).toEqual(["changed"]);
  const pid = events.flatMap((event) => (event.type === "log" ? event.text.match(/\d+$/) : []))[0];
  process.kill(Number(pid));
});

test.each([{}, { ownConfig: false }, { allowAmbientCredentials: true }])(
  "is not connected for a configuration from elsewhere: %j",
  async (options) => {
    const { signal } = new AbortController();
    const ran = join(dir, "ran");
    const path = await script("never.sh", `: > '${ran}'`);
    await expect(connectProvider(exec, { path }, { signal, ...options })).rejects.toMatchObject({
      code: "CONFIG",
      message: expect.stringContaining("a configuration from elsewhere may not use it"),
    });
    await expect(readFile(ran)).rejects.toThrow("ENOENT");
  },
);

test.each([
  [{ path: "run.sh" }, /path: has to be an absolute path/],
  [{ path: "./run.sh" }, /path: has to be an absolute path/],
  [{ path: "/bin/true", mode: "RAW" }, /mode: cannot be RAW: that needs the key authorization/],
  [{ path: "/bin/true", mode: "other" }, /mode: is not known/],
  [{}, /EXEC_PATH: is missing/],
])("refuses %j", async (config, said) => {
  await expect(resolveConfig(exec, { config, env: {} })).rejects.toThrow(said);
});

test("takes lego's environment names", () => {
  expect(fieldsOf(exec).map(({ env }) => env[0])).toEqual(["EXEC_PATH", "EXEC_MODE", "EXEC_TTL"]);
});

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
