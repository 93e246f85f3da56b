import type { Clock } from "../../core/clock.ts";
import { ConfigError, Dns01Error, TransientError } from "../../core/errors.ts";
import type { Observer } from "../../core/events.ts";
import type { Stop } from "../../core/lazy-signal.ts";
import { createLock } from "../../core/lock.ts";
import type { Provider } from "../../core/provider.ts";
import { settleDuring } from "../../issuer/settle-during.ts";
import type { KubernetesApi } from "../../kubernetes/api.ts";
import type { SolveCall } from "../challenge.ts";
import type { Environment } from "./ambient.ts";
import type { Breaker } from "./breaker.ts";
import { type ConnectionRequest, type Connections, connectionKey, loginKey } from "./connections.ts";
import type { EndpointRules } from "./endpoints.ts";
import type { ChallengeFacts, SolveObserver } from "./events.ts";
import { explained } from "./explain.ts";
import { type Gate, unseen } from "./gate.ts";
import { createIssuerReader, type Issuer } from "./issuers.ts";
import type { JobContext, Jobs, Step } from "./jobs.ts";
import type { PolicyFile } from "./policy.ts";
import type { Presented } from "./presented.ts";
import type { Question } from "./question.ts";
import { readSecrets } from "./secrets.ts";

export interface WorkOptions {
  readonly rules: EndpointRules;
  readonly kubernetes: KubernetesApi | undefined;
  readonly policy: PolicyFile | undefined;
  readonly propagationGate: boolean;
  readonly env: Environment;
  readonly callTimeoutMs: number;
  readonly clock: Clock;
  readonly now: () => Date;
  readonly observer: Observer;
  readonly observe: SolveObserver;
  readonly connections: Connections;
  readonly jobs: Jobs;
  readonly presented: Presented;
  readonly breaker: Breaker;
  readonly gate: Gate;
}

/** One challenge from the Issuer's configuration to the provider's answer. */
export interface Work {
  /** Throws one of our errors. */
  solve(provider: Provider, question: Question, call: SolveCall, facts: ChallengeFacts): Promise<void>;
  /** Ends a call for a solver that is not served: throws `fault` for a Present, returns for a clean-up. */
  refuse(question: Question, fault: ConfigError, withdrawn: Withdrawn | undefined, facts: ChallengeFacts): void;
}

/** A solver that may have been served before: by an id that `providers` has lost, or by a plugin that is gone. */
export interface Withdrawn {
  /** The provider's id, where dns01 knows it. */
  readonly id?: string;
  /** What `dns01 cleanup` needs to reach it. */
  readonly flags: string;
}

/** What stands before a call of the provider, and how it would be made. */
type Prepared =
  | { readonly ready: true; readonly request: ConnectionRequest; readonly versions: string }
  | { readonly ready: false; readonly fault: ConfigError };

export function createWork(options: WorkOptions): Work {
  const { kubernetes, policy, clock, observer, observe, connections, jobs, presented, breaker, gate } = options;
  const readIssuer = createIssuerReader(options.rules, options.env);
  /** Present and clean-up of one value, in the order in which they came. */
  const turns = createLock();

  /** Checks what the Issuer's author wrote. Nothing is called; throws ConfigError. */
  const check = async (provider: Provider, question: Question, facts: ChallengeFacts): Promise<Issuer> => {
    const { namespace, owner } = question;
    const issuer = await readIssuer(provider, question);
    const denial = await policy?.denial({ namespace, provider: provider.id, owner });
    if (denial === undefined) return issuer;
    const message = `the operator's policy forbids it: ${denial.message}`;
    observe({ type: "denied", message: denial.rule === undefined ? message : `${message}, ${denial.rule}`, ...facts });
    throw new ConfigError([{ path: "", message }], { provider: provider.id, details: { denied: "policy" } });
  };

  /** Reads the Secrets and completes the configuration. Throws TransientError when nobody could say what is in them. */
  const prepare = async (
    provider: Provider,
    issuer: Issuer,
    { namespace }: Question,
    stop: Stop,
  ): Promise<Prepared> => {
    const secrets = await readSecrets(issuer.config.references, namespace, kubernetes, stop);
    if (!secrets.found) return { ready: false, fault: new ConfigError(secrets.issues, { provider: provider.id }) };
    try {
      return { ready: true, request: issuer.connection(secrets.values), versions: secrets.versions };
    } catch (error) {
      if (error instanceof ConfigError) return { ready: false, fault: error };
      throw error;
    }
  };

  /**
   * Calls the provider, unless it has refused these credentials again and again. What it wrote has settled in the end:
   * beside `see`, which answers whether all nameservers have shown it, or after it.
   */
  const call = async (
    request: ConnectionRequest,
    versions: string,
    question: Question,
    correlationId: string,
    stop: Stop,
    see: () => Promise<boolean> = async () => false,
  ): Promise<void> => {
    const { owner, value, zoneCut, action } = question;
    const { id } = request.provider;
    const credentials = `${loginKey(request)} ${versions} ${zoneCut ?? ""}`;
    const refusal = breaker.check(credentials);
    if (refusal !== undefined) throw refusal;
    const tell = (state: "open" | "closed" | undefined) => {
      if (state !== undefined) observe({ type: "breaker", state, provider: id, correlationId });
    };
    try {
      await connections.use(request, correlationId, async (solver) => {
        const items = [{ owner, values: [value], zoneCut }];
        const act = action === "Present" ? "present" : "cleanUp";
        try {
          const told: Observer = (event) => observer(event, correlationId);
          const solved = await solver[act](items, stop, correlationId);
          const written = { solver, act, items, solved, trace: correlationId } as const;
          tell(breaker.accepted(credentials));
          await settleDuring([written], see, (seen) => seen, { clock, observer: told, signal: stop });
        } catch (error) {
          // Who has not the zone in memory any more is refused at the look-up already: all say what that one says.
          if (Dns01Error.is(error) && error.code === "AUTH") await solver.locate(owner, zoneCut, stop, correlationId);
          throw error;
        }
      });
    } catch (error) {
      if (Dns01Error.is(error) && error.code === "AUTH") tell(breaker.refused(credentials, error));
      else if (Dns01Error.is(error) && afterLogin.has(error.code)) tell(breaker.accepted(credentials));
      throw explained(error, id, question);
    }
  };

  const present = async (
    provider: Provider,
    issuer: Issuer,
    question: Question,
    correlationId: string,
    { stop, step }: JobContext,
  ): Promise<void> => {
    step("secrets");
    const prepared = await prepare(provider, issuer, question, stop);
    if (!prepared.ready) throw prepared.fault;
    step("provider");
    // Before the write: it may land although its answer does not arrive.
    presented.requests.add(question.subject, prepared.request);
    presented.refused.delete(question.subject);
    const isGated = issuer.config.gate ?? options.propagationGate;
    await call(prepared.request, prepared.versions, question, correlationId, stop, async () => {
      if (!isGated) return false;
      step("propagation");
      const status = await gate.wait(question, correlationId, stop.signal, (report) =>
        observe({ type: "propagation", correlationId, provider: provider.id, owner: question.owner, ...report }),
      );
      return status === "propagated";
    });
  };

  /** Ends a clean-up that can never succeed, and says what may have stayed. */
  const leaveOver = (
    { issues }: ConfigError,
    { value }: Question,
    facts: ChallengeFacts,
    flags = `--provider ${facts.provider}`,
  ): void => {
    const reason = issues.map(({ path, message }) => `${path} ${message}`.trim()).join("; ");
    const cure = `dns01 cleanup ${facts.owner} ${value} ${flags}`;
    observe({ type: "leftover", value, at: options.now().toISOString(), reason, cure, ...facts });
  };

  /**
   * Returns true when an earlier Present of what is impossible now can have written: its Secret, the policy or the
   * operator's flags may have changed since, and other replicas and earlier pods presented values too.
   */
  const mayHaveWorked = (checked: Issuer | ConfigError, { subject }: Question): boolean =>
    checked instanceof ConfigError
      ? presented.refused.get(subject) === undefined
      : kubernetes !== undefined && checked.config.references.length > 0;

  const cleanUp = async (
    provider: Provider,
    checked: Issuer | ConfigError,
    question: Question,
    facts: ChallengeFacts,
    { stop, step }: JobContext,
  ): Promise<void> => {
    step("secrets");
    const prepared: Prepared =
      checked instanceof ConfigError
        ? { ready: false, fault: checked }
        : await prepare(provider, checked, question, stop);
    step("provider");
    const before = presented.requests.get(question.subject);
    const request = prepared.ready ? prepared.request : before;
    if (request === undefined) {
      if (!prepared.ready && mayHaveWorked(checked, question)) leaveOver(prepared.fault, question, facts);
      return;
    }
    const versions = prepared.ready ? prepared.versions : "";
    try {
      await call(request, versions, question, facts.correlationId, stop);
    } catch (error) {
      if (error instanceof ConfigError) return leaveOver(error, question, facts);
      // With the zone its records are gone, unless it is in the account that the value was presented with.
      if (!Dns01Error.is(error) || error.code !== "ZONE_NOT_FOUND") throw error;
      if (before !== undefined && connectionKey(before) !== connectionKey(request)) {
        await call(before, "", question, facts.correlationId, stop).catch((second: unknown) => {
          if (!Dns01Error.is(second) || (second.code !== "ZONE_NOT_FOUND" && second.code !== "AUTH")) throw second;
        });
      }
    }
    presented.requests.delete(question.subject);
  };

  const refuse: Work["refuse"] = (question, fault, withdrawn, facts) => {
    if (question.action === "Present") {
      presented.refused.add(question.subject, true);
      throw fault;
    }
    if (withdrawn !== undefined && mayHaveWorked(fault, question)) leaveOver(fault, question, facts, withdrawn.flags);
  };

  return {
    refuse,
    async solve(provider, question, { correlationId, signal }, facts) {
      const { action, subject, key } = question;
      const checked = await check(provider, question, facts).catch((error: unknown) => {
        if (!(error instanceof ConfigError)) throw error;
        if (action === "Present") presented.refused.add(subject, true);
        // A Challenge keeps the configuration it was made with: a clean-up that fails for it would never end.
        if (action === "CleanUp") return error;
        throw error;
      });
      const late = (step: Step) => lateAt(step, provider.id, question, options.callTimeoutMs);
      await jobs.run(
        {
          key,
          subject,
          signal,
          correlationId,
          late,
          onJoin: (other) => observe({ type: "challenge.joined", correlationId, with: other }),
          onBackground: (end) => {
            const code =
              end === "begun" ? end : Dns01Error.is(end.error) ? end.error.code : end.error ? "UNKNOWN" : "OK";
            observe({ type: "background", state: code, provider: provider.id, correlationId });
          },
        },
        (job) =>
          turns.hold([subject], job.stop, () =>
            checked instanceof ConfigError || action === "CleanUp"
              ? cleanUp(provider, checked, question, facts, job)
              : present(provider, checked, question, correlationId, job),
          ),
      );
    },
  };
}

/** What a service says only to whom it knows. */
const afterLogin: ReadonlySet<string> = new Set(["ZONE_NOT_FOUND", "REJECTED", "CONFLICT"]);

/** The answer of a call whose time is over: where it stands, in words that stay the same. */
function lateAt(step: Step, provider: string, { owner, action }: Question, callTimeoutMs: number): Dns01Error {
  if (step === "propagation") return unseen(owner, "timeout");
  const what = action === "Present" ? `presenting the value at ${owner}` : `cleaning up the value at ${owner}`;
  const message = `${what} took longer than ${callTimeoutMs / 1000} s ${whileAt[step]}`;
  const hint = "It goes on, and the next call picks up its result.";
  return new TransientError(message, { timeout: true, provider, fqdn: owner, operation: action, hint });
}

const whileAt: Readonly<Record<Exclude<Step, "propagation">, string>> = {
  waiting: "because an earlier call for the same value is not over",
  secrets: "while the API server was asked for Secrets",
  provider: "while waiting for the provider",
};
