import { z } from "zod";

/**
 * The address of an HTTP API as a configuration value. It is printed in messages and put in front of paths, so it has
 * neither a login nor a query; what is refused is not repeated, because a login would be.
 */
export function httpUrl(): z.ZodURL {
  return z
    .url({ protocol: /^https?$/, error: "is no http:// or https:// URL" })
    .refine((text) => !hasLogin(text), "has a login in it, which would be printed with it: take it out")
    .refine((text) => !/[?#]/.test(text), "has a query or fragment (? or #): give the address that paths are added to");
}

function hasLogin(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { username, password } = new URL(text);
  return username !== "" || password !== "";
}

/** What keeps credentials from being sent in an HTTP header, without repeating them; `undefined` if nothing does. */
export function headerFault(value: string): string | undefined {
  if (/^[\x21-\x7e]*$/.test(value)) return undefined;
  const scheme = /^(bearer|token|basic)\s/i.exec(value)?.[1];
  const what = scheme === undefined ? "it alone" : `the token without "${scheme}"`;
  return `holds blanks, line ends or characters that cannot be sent: give ${what}`;
}
