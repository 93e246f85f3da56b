import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

/** What only the provider's page of docs/providers/ says; the page comes with the package. */
export interface ProviderPage {
  /** Markdown: what the credentials must be allowed to do. */
  readonly permissions: string | undefined;
  /** Shell lines that work once the values are one's own. */
  readonly example: string | undefined;
}

/** Nothing for a plugin, or where somebody has left the documentation out: an image, a bundle. */
export async function readProviderPage(id: string, home: URL): Promise<ProviderPage> {
  const page = new URL(`../docs/providers/${id}.md`, home);
  const text = await readFile(page, "utf8").catch(() => "");
  return {
    permissions: /^## Permissions\n+(.*?)\s*(?=^## |$(?![\s\S]))/ms
      .exec(text)?.[1]
      // A relative link leads nowhere on a terminal.
      ?.replace(/\[([^\]]+)\]\(((?!https?:)[^)]+)\)/g, (_, label, target) => `${label} (${pathOf(target, page)})`),
    example: [...text.matchAll(/^( *)```sh\n(.*?)^ *```$/gms)]
      .map(([, indent = "", block = ""]) => block.replaceAll(new RegExp(`^${indent}`, "gm"), "").trimEnd())
      .find((block) => block.includes(` -p ${id}`)),
  };
}

/** The target of a link as a path, with its anchor. */
function pathOf(target: string, page: URL): string {
  const url = new URL(target, page);
  return `${fileURLToPath(url)}${url.hash}`;
}
