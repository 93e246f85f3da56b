import { configJsonSchema } from "../config/json-schema.ts";
import { type Command, failOn } from "./command.ts";

/** `dns01 config schema`: what dns01.yaml may hold, plugins included, for editors. */
export const command: Command = {
  async run({ issues, registry }) {
    failOn(issues);
    const json = configJsonSchema(await registry.all());
    return { json, text: `${JSON.stringify(json, undefined, 2)}\n` };
  },
};
