import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { Dns01Error } from "../core/errors.ts";
import type { Observer } from "../core/events.ts";
import type { Journal, JournalEntry } from "../issuer/ports.ts";
import type { Disk } from "./disk.ts";
import { type DocumentKind, formatDocument, membersOf, parseDocument } from "./document.ts";

const kind: DocumentKind = {
  title: "this page of the journal",
  current: 1,
  remedy: "It names TXT values that may still be in DNS: look at it, take them out by hand, then remove the file.",
};

/**
 * `journal/PAGE.json`: the values of one `add`, so that they are all written down or none. An entry's id is its page and
 * its number on it; a page goes when its last entry does.
 */
export function openJournal(disk: Disk, deps: { readonly observer: Observer; readonly now: () => Date }): Journal {
  const root = join(disk.root, "journal");
  const pathOf = (page: string) => join(root, `${page}.json`);
  const turns = new Map<string, Promise<void>>();

  async function read(page: string): Promise<readonly JournalEntry[]> {
    const path = pathOf(page);
    const text = await disk.read(path);
    return text === undefined ? [] : parse(text, path);
  }

  /** Two processes that change one page at once can only keep an entry too long, never lose one. */
  async function strike(page: string, ids: ReadonlySet<string>): Promise<void> {
    const entries = await read(page);
    const rest = entries.filter((entry) => !ids.has(entry.id));
    if (entries.length > 0 && rest.length === 0) await disk.remove(pathOf(page));
    else if (rest.length < entries.length) await disk.write(pathOf(page), format(rest));
  }

  return {
    async add(entries) {
      if (entries.length === 0) return [];
      const createdAt = deps.now().toISOString();
      const page = `${createdAt.replace(/[-:]|\.\d+/g, "")}-${randomBytes(6).toString("hex")}`;
      const written = entries.map((entry, i) => ({ ...entry, id: `${page}.${i}`, createdAt }));
      await disk.write(pathOf(page), format(written));
      return written;
    },

    async remove(ids) {
      const pages = new Map<string, Set<string>>();
      for (const id of ids) {
        const page = /^([0-9TZ]+-[0-9a-f]+)\.\d+$/.exec(id)?.[1];
        if (page !== undefined) pages.set(page, (pages.get(page) ?? new Set()).add(id));
      }
      const done = [...pages].map(async ([page, struck]) => {
        const turn = (turns.get(page) ?? Promise.resolve()).then(() => strike(page, struck));
        const settled = turn.catch(() => {});
        turns.set(page, settled);
        await turn.finally(() => {
          if (turns.get(page) === settled) turns.delete(page);
        });
      });
      const failed = (await Promise.allSettled(done)).find((r) => r.status === "rejected");
      if (failed !== undefined) throw failed.reason;
    },

    async list() {
      const pages = (await disk.list(root)).filter((file) => file.endsWith(".json")).map((file) => file.slice(0, -5));
      const entries: JournalEntry[] = [];
      for (const page of pages) {
        try {
          entries.push(...(await read(page)));
        } catch (error) {
          const { message, hint } = Dns01Error.is(error) ? error : { message: String(error), hint: undefined };
          deps.observer({ type: "warning", code: "W_JOURNAL", text: [message, hint].filter(Boolean).join(". ") });
        }
      }
      return entries;
    },
  };
}

function format(entries: readonly JournalEntry[]): string {
  return formatDocument({ schema: 1, entries });
}

function parse(text: string, path: string): readonly JournalEntry[] {
  const page = membersOf(parseDocument(text, path, kind), path, kind);
  return page.objects("entries").map((entry) => {
    const members = membersOf(entry, path, kind);
    const fqdn = members.optionalText("fqdn");
    return {
      id: members.text("id"),
      certificate: members.text("certificate"),
      provider: members.text("provider"),
      zone: members.text("zone"),
      owner: members.text("owner"),
      ...(fqdn === undefined ? {} : { fqdn }),
      value: members.text("value"),
      createdAt: members.text("createdAt"),
    };
  });
}
