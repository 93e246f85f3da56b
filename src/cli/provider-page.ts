import { readFile } from "node:fs/promises";

/** What only the provider's page of docs/providers/ says; the page comes with the package. */
export interface ProviderPage {
  /** Markdown: what the credentials must be allowed to do. */
  readonly permissions: string | undefined;
  /** Shell lines that work once the values are one's own. */
  readonly example: string | undefined;
}

/** Nothing for a plugin, or where somebody has left the documentation out: an image, a bundle. */
export async function readProviderPage(id: string, home: URL): Promise<ProviderPage> {
  const text = await readFile(new URL(`../docs/providers/${id}.md`, home), "utf8").catch(() => "");
  return {
    permissions: /^## Permissions\n+(.*?)\s*(?=^## |$(?![\s\S]))/ms.exec(text)?.[1],
    example: [...text.matchAll(/^( *)```sh\n(.*?)^ *```$/gms)]
      .map(([, indent = "", block = ""]) => block.replaceAll(new RegExp(`^${indent}`, "gm"), "").trimEnd())
      .find((block) => block.includes(` -p ${id}`)),
  };
}
