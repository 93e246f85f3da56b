import type { Provider } from "../../core/provider.ts";
import { type Field, fieldsOf } from "../../core/schema.ts";

/** Returns how a field is written in an Issuer: a secret as a reference into a Secret. */
export function wayOf(field: Field): string {
  return field.secret ? (field.references[0] ?? field.name) : field.name;
}

/** Replaces environment variables, which messages of providers name for the command line, with the fields of an Issuer. */
export function inIssuerWords(provider: Provider, text: string): string {
  return fieldsOf(provider).reduce((said, field) => {
    const variables = `(?:${field.env.join("|")})`;
    const { name } = field;
    const pattern = new RegExp(`\\b(?:${name} \\(${variables}\\)|${name}, ${variables}\\b|${variables}\\b)`, "g");
    return field.env.length === 0 ? said : said.replace(pattern, wayOf(field));
  }, text);
}
