import { accountCommands } from "./spec/account.ts";
import { challengeCommands } from "./spec/challenge.ts";
import type { CommandSpec } from "./spec/command-spec.ts";
import { issueCommands } from "./spec/issue.ts";
import { pluginCommands } from "./spec/plugin.ts";
import { renewalCommands } from "./spec/renewal.ts";
import { sandboxCommands } from "./spec/sandbox.ts";
import { settingsCommands } from "./spec/settings.ts";
import { storedCommands } from "./spec/stored.ts";
import { webhookCommands } from "./spec/webhook.ts";

export type { CommandSpec, FlagSpec } from "./spec/command-spec.ts";
export { globalFlags, pluginFlags } from "./spec/flags.ts";

/** Every command of the command line, in the order in which help lists them. */
export const commands: readonly CommandSpec[] = [
  ...issueCommands,
  ...renewalCommands,
  ...storedCommands,
  ...accountCommands,
  ...challengeCommands,
  ...settingsCommands,
  ...pluginCommands,
  ...webhookCommands,
  ...sandboxCommands,
];
