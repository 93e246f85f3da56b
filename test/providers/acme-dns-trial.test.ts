import { expect, test } from "vitest";
import acmeDns from "../../providers/acme-dns.ts";
import { resolveConfig } from "../../src/core/fields.ts";
import { type DomainName, parseName } from "../../src/core/name.ts";
import { connectSolver } from "../../src/providers.ts";
import { type RegisteredAccount, startAcmeDnsServer } from "../fakes/acme-dns.ts";
import type { AdapterFake } from "./trial/subject.ts";
import { tryAdapter } from "./trial.ts";

const hosts = Array.from({ length: 20 }, (_, i) => `_acme-challenge.host-${i}`);
const owners = ["_acme-challenge", "_acme-challenge.www", "_acme-challenge.a.b", "_acme-challenge.never", ...hosts];

/** A compatible server that lets accounts have the trial's names, and as many values as the real one: two. */
async function start(zones: readonly DomainName[]): Promise<AdapterFake> {
  const accounts = zones.flatMap((zone, z) =>
    owners.map((subdomain, o): RegisteredAccount => {
      const number = String(z * owners.length + o);
      return {
        username: `00000000-0000-4000-8000-${number.padStart(12, "0")}`,
        password: `secret-${number.padStart(6, "0")}-`.padEnd(40, "xyz"),
        subdomain,
        fulldomain: `${subdomain}.${zone}`,
      };
    }),
  );
  // The program's clock runs a hundred times as fast, and so does the server's.
  const server = await startAcmeDnsServer(accounts, {
    seconds: () => Math.floor(performance.now() / 10),
    lenient: true,
  });
  const stored = accounts.map((account) => [account.fulldomain.replace("_acme-challenge.", ""), account]);
  return {
    http: server.http,
    config: { endpoint: server.http.url, accounts: JSON.stringify(Object.fromEntries(stored)) },
    values: (apex, fqdn) => (owners.some((subdomain) => fqdn === `${subdomain}.${apex}`) ? server.served(fqdn) : []),
    put: () => {
      throw new Error("nobody but the account's own clients can put values there");
    },
    refuseCredentials: server.refuse,
  };
}

const noRemoval = "acme-dns cannot take a value away, the next ones push it out";
const two = "acme-dns keeps the two newest values";
const untold = "acme-dns cannot be asked what it serves";
const ownNames = "an account serves one name of its own and nobody else's values";

tryAdapter({
  provider: acmeDns,
  shape: "direct",
  start,
  foreign: [],
  economy: {
    first: "0+1",
    warm: "0+1",
    again: "0+1",
    cleanUp: "0+0",
    gone: "0+0",
    pair: "0+2",
    pairOut: "0+0",
    names: "0+20",
    namesOut: "0+0",
  },
  exclusive: [
    { config: { storagePath: "/somewhere" }, names: ["accounts", "storagePath"] },
    { config: { username: "u", password: "password", subdomain: "s" }, names: ["accounts", "username"] },
  ],
  skip: {
    "adding.again": untold,
    "adding.together": two,
    "adding.alike": two,
    "adding.owners": untold,
    "removing.value": noRemoval,
    "removing.own": two,
    "removing.alike": two,
    "removing.together": two,
    "removing.owners": noRemoval,
    "removing.exchange": noRemoval,
    "siblings.adding": ownNames,
    "siblings.removing": ownNames,
    "siblings.names": ownNames,
    "siblings.types": ownNames,
    "siblings.octets": ownNames,
    "siblings.ttl": "the server has one TTL for all",
    "adding.ttl": "the server has one TTL for all",
    "restarts.removing": noRemoval,
    "restarts.adding": untold,
    "restarts.lost-remove": noRemoval,
    "concurrency.adding": two,
    "concurrency.mixed": two,
    "concurrency.settling": two,
    "concurrency.interleavings": two,
    "names.apex": noRemoval,
    "names.deep": noRemoval,
    "names.repeated": noRemoval,
    "names.digits": noRemoval,
    "names.idn": noRemoval,
    "names.long": noRemoval,
    "faults.throttle": ownNames,
    "faults.unavailable": ownNames,
    "faults.reset": ownNames,
    "faults.page": ownNames,
    "faults.lost": ownNames,
    "faults.owners": ownNames,
    "faults.last": noRemoval,
    "faults.not-found-page": noRemoval,
    "errors.signal": noRemoval,
    "errors.one-zone": ownNames,
    "errors.retry-after": ownNames,
    "paging.values": untold,
    "paging.names": untold,
    "zones.choice-nested": noRemoval,
    "zones.choice-decoy": noRemoval,
    "zones.choice-apex": noRemoval,
    "zones.choice-idn": noRemoval,
    "zones.choice-many": noRemoval,
    "zones.choice-limited": ownNames,
    "economy.batch": noRemoval,
    interleavings: two,
    "faults.present": noRemoval,
    "faults.clean-up": noRemoval,
    "messages.request-id": "the server gives its requests no ids",
    "errors.temporary": "nobody is asked for a zone",
  },
});

test("acme-dns: twenty names are one update each, and taking them out calls nothing", async () => {
  const apex = parseName("example.com");
  const fake = await start([apex]);
  try {
    const { signal } = new AbortController();
    const resolved = await resolveConfig(acmeDns, { config: fake.config });
    const solver = await connectSolver(acmeDns, resolved, { signal });
    const items = hosts.map((host) => ({ owner: parseName(`${host}.${apex}`), values: ["value"], zoneCut: apex }));
    await solver.present(items, signal);
    expect(fake.http.calls.map(({ write }) => write)).toEqual(hosts.map(() => true));
    await solver.cleanUp(items, signal);
    expect(fake.http.calls).toHaveLength(20);
  } finally {
    await fake.http.close();
  }
});
