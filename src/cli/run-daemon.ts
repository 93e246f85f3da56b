import { type Plan, readPlan } from "../config/plan.ts";
import { systemClock } from "../core/clock.ts";
import { counted } from "../core/counted.ts";
import type { ConfigIssue } from "../core/errors.ts";
import { createDiskWatch } from "../daemon/disk-watch.ts";
import { createLife } from "../daemon/life.ts";
import { createDaemonMetrics, type DaemonMetrics } from "../daemon/metrics.ts";
import { createNotifier, type Notifier } from "../daemon/notify.ts";
import { startStatusServer } from "../daemon/server.ts";
import { startTimers } from "../daemon/timers.ts";
import { createCaMemory } from "../issuer/ca-memory.ts";
import { reconcile } from "../issuer/reconcile.ts";
import { createWatch, type Watch, type WatchTarget } from "../issuer/watch.ts";
import { openStore, type Store } from "../store/index.ts";
import { type Command, type CommandInput, failOn } from "./command.ts";
import { readDeployment } from "./deployment.ts";
import { printUnit } from "./print-unit.ts";
import { renewRound } from "./renew.ts";
import { readRenewPlans } from "./renew-plans.ts";
import { noCertificates } from "./renew-report.ts";
import { createRenewalInfos, openEngine } from "./renewal-engine.ts";
import { startReloads } from "./run-reload.ts";
import { createReport, quietSteps, type Report } from "./run-report.ts";
import { type Generation, openGeneration, targetsOf } from "./run-targets.ts";
import { defaultStateDir } from "./state.ts";

/** How often the state folder is looked at for certificates that somebody else has made or taken away. */
const rescanMs = 10 * 60_000;

/** Nobody waits for a renewal: more of them share a write when each waits a moment for the others. */
const unhurried = { presentWindowMs: 500, cleanUpWindowMs: 1000 };

/** `dns01 run`: keeps certificates until it is stopped. */
export const command: Command = {
  async run(input) {
    const { flags, io, observer } = input;
    if (flags.on("print-unit")) return await printUnit(input);
    // From the first moment on: by itself it would end the process.
    process.on("SIGHUP", ignore);
    const filesRead = new Set<string>();
    const isOnce = flags.on("once");
    if (isOnce) failOn(notOnce(flags));
    const said = await readSaid(isOnce ? input : quiet(input), filesRead, isOnce ? {} : unhurried);
    const listen = await listenOf(input);
    const store = await openStore(flags.text("state") ?? defaultStateDir(io.env), { observer, purpose: "run" });
    const release = await store.lockRun({ signal: io.signal, timeoutMs: 0 });
    try {
      if (isOnce) return await renewRound(input, store, { ...said, ...paceOf(flags) });
      await live(input, store, { ...said, filesRead }, listen);
    } finally {
      await release();
      process.off("SIGHUP", ignore);
    }
    return undefined;
  },
};

const ignore = (): void => {};

function notOnce(flags: CommandInput["flags"]): readonly ConfigIssue[] {
  if (flags.source("listen") !== "--listen") return [];
  return [{ path: "--listen", message: "cannot be combined with --once, which ends after one round" }];
}

/** One a second is for a daemon, which has time; a round that somebody waits for goes as fast as `renew`. */
function paceOf(flags: CommandInput["flags"]): { readonly ordersPerSecond?: number } {
  if (flags.source("orders-per-second") === "default") return {};
  return { ordersPerSecond: Math.max(1, flags.integer("orders-per-second") ?? 1) };
}

/** The connections to DNS services hear of steps, too: they belong to several certificates, and so have no name here. */
function quiet(input: CommandInput): CommandInput {
  return { ...input, observer: quietSteps(input.observer) };
}

/** Everything that was said, checked; all faults at once. */
async function readSaid(
  input: CommandInput,
  filesRead: Set<string>,
  windows: Parameters<typeof readRenewPlans>[1] = unhurried,
): Promise<Pick<Generation, "plans" | "deployment">> {
  const plans = await readRenewPlans(input, windows, filesRead);
  const faults = [...input.issues, ...plans.issues];
  const deployment = await readDeployment(input, faults);
  failOn(faults);
  return { plans, deployment };
}

async function listenOf(input: CommandInput): Promise<Plan["run"]["listen"]> {
  const { flags, io, redactor, registry, observer } = input;
  if (flags.text("listen") === undefined) return undefined;
  const read = await readPlan({ flags, env: io.env, redactor, registry, observer, config: await input.loadConfig() });
  failOn(read.issues.filter((issue) => issue.path === flags.source("listen")));
  return read.listen;
}

/** From the start to the end of one run, with the lock of the state folder held. */
async function live(
  input: CommandInput,
  store: Store,
  said: Pick<Generation, "plans" | "deployment"> & { readonly filesRead: Set<string> },
  listen: Plan["run"]["listen"],
): Promise<void> {
  const { flags, io, observer } = input;
  const report = createReport(observer);
  const life = createLife(systemClock);
  // One for all generations: what a CA has seen it has seen, whatever the file says now.
  const caMemory = createCaMemory(systemClock);
  const open = (fresh: Pick<Generation, "plans" | "deployment">) =>
    openGeneration(fresh.plans, fresh.deployment, { input, store, caMemory });
  let generation = await open(said);
  const engine = await openEngine(input, store);
  const infos = createRenewalInfos(input, (url) => generation.plans.rootOf(url));
  const solvers = {
    solverFor: generation.plans.leftovers.solverFor,
    solverOf: (...args: Parameters<typeof generation.plans.leftovers.solverOf>) =>
      generation.plans.leftovers.solverOf(...args),
  };
  const disk = createDiskWatch({ dir: store.dir, probe: store.fault, ...report });
  const metrics = createDaemonMetrics({ version: input.version, now: Date.now, counts: () => watch.counts });
  const watch: Watch = createWatch({
    ...engine,
    solvers,
    renewalInfo: infos.of,
    parallel: Math.max(1, flags.integer("parallel") ?? 4),
    ordersPerSecond: Math.max(1, flags.integer("orders-per-second") ?? 1),
    observerFor: report.observerFor,
    diskFault: disk.check,
    onEvent: (event) => {
      metrics.onEvent(event);
      report.onEvent(event);
    },
    onFault: report.fault,
    onTurn: life.turn,
  });
  const server =
    listen === undefined
      ? undefined
      : await serve(listen, { input, fault: () => life.fault() ?? disk.fault(), metrics, report });
  const notifier = createNotifier({ env: io.env, pid: process.pid, onFault: report.warn });
  const told = new Set<string>();
  const tellOverlaps = () => {
    for (const overlap of generation.plans.overlaps) {
      if (!told.has(overlap)) report.warn(`${overlap} [W_OVERLAP]`, { code: "W_OVERLAP" });
      told.add(overlap);
    }
  };
  const targets = createTargets(watch, metrics, (known) =>
    targetsOf({ generation, input: quiet(input), store }, known),
  );
  const ends: (() => void)[] = [];
  try {
    const status = await targets.take("all");
    const running = watch.run();
    const cleaning = takeOutLeftovers({ ...engine, solvers }, report);
    life.loaded();
    report.info(`looking after ${status} in ${store.dir}`);
    if (targets.names().length === 0) report.warn(noCertificates((await input.loadConfig()).file, store.dir));
    tellOverlaps();
    ends.push(
      startTimers({ disk, life, notifier, rescanMs, rescan: () => targets.take("new"), onFault: report.fault }),
    );
    let { filesRead } = said;
    const reload = async (fresh: CommandInput): Promise<string> => {
      // Those of a configuration that is broken, too: one of them may be what is to be put right.
      filesRead = new Set();
      const next = await open(await readSaid(quiet(fresh), filesRead));
      generation = next;
      tellOverlaps();
      infos.forget();
      // The file is in force, also where the disk is full.
      for (const name of targets.names())
        await engine.budget.forgive(name).catch((error: unknown) => report.fault(name, error));
      return await targets.take("all");
    };
    ends.push(
      await startReloads({ input, reload, filesRead: () => filesRead, onResult: metrics.reloaded, notifier, report }),
    );
    await notifier.ready(status);
    const stopping = announceEnd(io.signal, notifier);
    await Promise.all([running, cleaning, stopping]);
  } finally {
    for (const end of ends) end();
    infos.forget();
    engine.close();
    await server?.close();
  }
  report.info("stopped; nothing of this run is left in DNS but what the journal says");
}

async function serve(
  listen: NonNullable<Plan["run"]["listen"]>,
  more: { input: CommandInput; fault: () => string | undefined; metrics: DaemonMetrics; report: Report },
) {
  const { input, fault, metrics, report } = more;
  const path = input.flags.source("listen") ?? "--listen";
  const server = await startStatusServer({ ...listen, path, fault, metrics });
  report.info(`serving /healthz and /metrics on ${server.address}`, { address: server.address });
  return server;
}

/** The certificates that are looked after; `take` reads them anew and answers with how many they are. */
function createTargets(
  watch: Watch,
  metrics: DaemonMetrics,
  read: (known: ReadonlyMap<string, WatchTarget>) => ReturnType<typeof targetsOf>,
) {
  let known: ReadonlyMap<string, WatchTarget> = new Map();
  let line: Promise<unknown> = Promise.resolve();
  const takeNow = async (which: "all" | "new"): Promise<string> => {
    const before = known;
    const targets = await read(which === "all" ? new Map() : before);
    known = new Map(targets.map((target) => [target.name, target]));
    const isSame = known.size === before.size && [...known.keys()].every((name) => before.has(name));
    if (which === "all" || !isSame) watch.set(targets);
    metrics.keep(new Set(known.keys()), which === "all");
    return counted(known.size, "certificate");
  };
  return {
    names: () => [...known.keys()],
    /** In turn: a slow look at the folder must not put back what a reload has replaced meanwhile. */
    take(which: "all" | "new"): Promise<string> {
      const turn = line.then(() => takeNow(which));
      line = turn.catch(ignore);
      return turn;
    },
  };
}

/** What an earlier run left in DNS. Nobody waits for it: every order takes out its own certificate's as well. */
async function takeOutLeftovers(deps: Parameters<typeof reconcile>[1], report: Report): Promise<void> {
  try {
    for (const { text, code } of await reconcile("", deps)) report.warn(`${text} [${code}]`, { code });
  } catch (error) {
    if (!deps.signal.aborted) report.fault("leftovers", error);
  }
}

async function announceEnd(signal: AbortSignal, notifier: Notifier): Promise<void> {
  if (!signal.aborted) await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
  await notifier.stopping();
}
