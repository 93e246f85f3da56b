import { type Budget, createBudget } from "../../src/issuer/budget.ts";
import type { Attempt } from "../../src/issuer/budget-attempt.ts";
import { limitsOf } from "../../src/issuer/budget-limits.ts";
import type { Failure } from "../../src/issuer/failure-kind.ts";
import type { BudgetStore } from "../../src/issuer/ports.ts";

export const letsEncrypt = "https://acme-v02.api.letsencrypt.org/directory";

function memoryStore(): BudgetStore & { readonly values: Map<string, unknown> } {
  const values = new Map<string, unknown>();
  return {
    values,
    load: async (folder, key) => structuredClone(values.get(`${folder}\n${key}`)),
    save: async (folder, key, value) => void values.set(`${folder}\n${key}`, structuredClone(value)),
    remove: async (folder, key) => void values.delete(`${folder}\n${key}`),
  };
}

/** A budget under clocks that only the test moves. */
export class BudgetWorld {
  wall = Date.UTC(2027, 0, 1);
  steady = 0;
  readonly store = memoryStore();
  budget: Budget = this.start();

  /** Another process over the same files. */
  start(): Budget {
    this.budget = createBudget({
      store: this.store,
      now: () => this.wall,
      steady: () => this.steady,
      random: () => 0,
      registeredDomain: (name) => name.split(".").slice(-2).join("."),
      limits: limitsOf,
    });
    return this.budget;
  }

  pass(ms: number): void {
    this.wall += ms;
    this.steady += ms;
  }

  attempt(more: Partial<Attempt> = {}): Attempt {
    return { certificate: "c", directoryUrl: letsEncrypt, names: ["www.example.test"], kind: "same-set", ...more };
  }

  /** Milliseconds until it is allowed. */
  async waits(attempt: Attempt): Promise<number> {
    const permit = await this.budget.check(attempt);
    return permit.allowed ? 0 : permit.until - this.wall;
  }

  async fails(attempt: Attempt, failure: Partial<Failure> & Pick<Failure, "kind">): Promise<void> {
    await this.budget.begin(attempt);
    const facts = { code: "ACME", message: "no", names: [], of: "account" };
    await this.budget.failed(attempt, { ...facts, ...failure } as Failure);
  }

  async succeeds(attempt: Attempt): Promise<void> {
    await this.budget.begin(attempt);
    await this.budget.succeeded(attempt);
  }
}
