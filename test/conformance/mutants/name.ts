import { bent, renamed } from "../bent.ts";
import type { Mutant } from "./mutant.ts";

export const nameMutants: readonly Mutant[] = [
  {
    rule: "names.apex",
    fault: "takes the apex for a name that has to be put in front of the zone",
    connect: (world) =>
      bent(world, { edit: (edit) => (edit.owner.relative === "@" ? renamed(edit, (fqdn) => `@.${fqdn}`) : edit) }),
  },
  {
    rule: "names.deep",
    fault: "keeps at most six labels of a name",
    connect: (world) =>
      bent(world, {
        edit: (edit) =>
          renamed(edit, (fqdn) => (fqdn.split(".").length > 8 ? fqdn.split(".").slice(-8).join(".") : fqdn)),
      }),
  },
  {
    rule: "names.repeated",
    fault: "replaces the zone's name wherever it stands",
    connect: (world) =>
      bent(world, {
        edit: (edit) =>
          renamed(edit, (fqdn) =>
            `${fqdn.replaceAll(`.${edit.owner.zone.apex}`, "")}.${edit.owner.zone.apex}`.replace(
              new RegExp(`^${edit.owner.zone.apex.replaceAll(".", "\\.")}\\.`),
              "",
            ),
          ),
      }),
  },
  {
    rule: "names.digits",
    fault: "reads labels of digits as numbers",
    connect: (world) =>
      bent(world, { edit: (edit) => renamed(edit, (fqdn) => fqdn.replace(/\.\d+\./, (n) => `.${n.length}0.`)) }),
  },
  {
    rule: "names.idn",
    fault: "sends an encoded label encoded once more",
    connect: (world) => bent(world, { edit: (edit) => renamed(edit, (fqdn) => fqdn.replace(".xn--", ".xn--xn--")) }),
  },
  {
    rule: "names.long",
    fault: "cuts a name after 200 characters",
    connect: (world) => bent(world, { edit: (edit) => renamed(edit, (fqdn) => fqdn.slice(-200)) }),
  },
];
