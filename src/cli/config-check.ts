import { type Plan, readPlan } from "../config/plan.ts";
import { counted } from "../core/counted.ts";
import type { Dns01Event } from "../core/events.ts";
import { type Command, failOn } from "./command.ts";
import { registeredIn } from "./registered.ts";
import { align } from "./table.ts";

/** `dns01 config check`: everything that is wrong with the file, at once; nothing is called. */
export const command: Command = {
  async run(input) {
    const { flags, io, redactor, registry } = input;
    const config = await input.loadConfig();
    if (config.file === undefined) {
      // One that was named and cannot be read says so itself.
      if (config.issues.length > 0) failOn(input.issues);
      failOn([
        ...input.issues,
        { path: "", message: "there is no dns01.yaml, neither here nor in the configuration folder" },
      ]);
    }
    const warnings: { readonly code: string; readonly text: string }[] = [];
    const observer = (event: Dns01Event) => {
      if (event.type === "warning") warnings.push({ code: event.code, text: event.text });
      input.observer(event);
    };
    const isRegistered = registeredIn(input);
    const read = await readPlan({ flags, env: io.env, redactor, config, registry, observer, isRegistered });
    failOn([...input.issues, ...read.issues]);
    const plan = read.complete();
    for (const overlap of plan.overlaps) observer({ type: "warning", code: "W_OVERLAP", text: overlap });
    return { json: { file: config.file, valid: true, ...summary(plan), warnings }, text: text(plan) };
  },
};

function summary({ certificates, routes, cas }: Plan) {
  return {
    cas: cas.map(({ ca }) => ca.id ?? ca.directoryUrl),
    solvers: routes.map(({ zones, provider }) => ({ zones, provider: provider.id })),
    certificates: certificates.map((c) => ({
      name: c.name,
      domains: c.identifiers.map((i) => i.text),
      ca: c.cas[0]?.ca.id ?? c.cas[0]?.ca.directoryUrl,
      keyType: c.keyType,
    })),
  };
}

function text(plan: Plan): string {
  const { certificates, solvers } = summary(plan);
  const rows = certificates.map((c) => [c.name, c.domains.join(" "), c.ca ?? "", c.keyType]);
  const head = `${plan.file} is valid: ${counted(certificates.length, "certificate")}, ${counted(solvers.length, "solver")}`;
  return `${[head, ...align(rows)].join("\n")}\n`;
}
