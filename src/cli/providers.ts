import { ConfigError } from "../core/errors.ts";
import { type Field, fieldsOf } from "../core/fields.ts";
import { schemasOf } from "../core/json-schema.ts";
import type { Provider } from "../core/provider.ts";
import { type Command, failOn } from "./command.ts";
import { readProviderPage } from "./provider-page.ts";
import { align } from "./table.ts";

/** `dns01 providers [ID]`: what exists, and what one of them needs. */
export const command: Command = {
  async run({ flags, issues, registry, home }) {
    failOn(issues);
    const id = flags.positionals[0];
    if (id === undefined) {
      // It keeps values to itself: for tests, and no DNS service.
      const all = (await registry.all()).filter((provider) => provider.id !== "memory");
      const { faults } = registry;
      return {
        json: { providers: all.map(summary), ...(faults.length === 0 ? {} : { faults }) },
        text: `${align(all.map((p) => [p.id, p.plugin === undefined ? p.title : `${p.title} (${p.plugin})`])).join("\n")}\n`,
        // The list is whole but for these; who asks by a script has to see it.
        status: faults.length === 0 ? 0 : 2,
      };
    }
    const provider = await registry.load(id).catch((error: unknown) => {
      throw error instanceof ConfigError
        ? new ConfigError(error.issues, { hint: "dns01 providers lists them." })
        : error;
    });
    const fields = fieldsOf(provider);
    const page = await readProviderPage(provider.id, home);
    const shown = page.example ?? example(provider.id, fields);
    const rows = fields.map((f) => [f.name, f.env.join(" or "), f.flag ?? "(no flag: secret)", note(f)]);
    return {
      json: {
        id: provider.id,
        title: provider.title,
        docs: provider.docs,
        traits: provider.traits,
        fields,
        ...(page.permissions === undefined ? {} : { permissions: page.permissions }),
        example: shown,
        schemas: schemasOf(provider),
      },
      text: [
        `${provider.id}: ${provider.title}`,
        ...(provider.docs === undefined ? [] : [provider.docs]),
        "",
        ...align([["field", "environment (each also with _FILE)", "flag", "meaning"], ...rows]),
        "",
        ...(page.permissions === undefined ? [] : ["permissions", indented(page.permissions), ""]),
        "example",
        indented(shown),
        "",
      ].join("\n"),
    };
  },
};

function summary({ id, title, docs, aliases = [], plugin }: Provider) {
  return { id, title, docs, aliases, ...(plugin === undefined ? {} : { plugin }) };
}

function note(field: Field): string {
  const rest = field.default === undefined ? "" : ` [${String(field.default)}]`;
  return `${field.required ? "required: " : ""}${field.description}${rest}`;
}

function indented(text: string): string {
  return text.replaceAll(/^(?=.)/gm, "  ");
}

/** Where there is no page. Optional secrets are often other ways to sign in, and go together with none. */
function example(id: string, fields: readonly Field[]): string {
  const required = fields.filter((f) => f.required);
  const needed = (required.length > 0 ? required : fields.filter((f) => f.secret)).map((f) => `${f.env[0]}=…`);
  return [...needed, `dns01 issue -d example.com -d '*.example.com' -p ${id}`].join(" ");
}
