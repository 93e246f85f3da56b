import { expectValues } from "./stage.ts";
import type { Case } from "./subject.ts";

/** Each of these has been cut wrongly by somebody. */
const names: readonly { readonly id: string; readonly title: string; readonly apex: string; readonly name: string }[] =
  [
    {
      id: "apex",
      title: "the apex of a zone",
      apex: "_acme-challenge.example.com",
      name: "_acme-challenge.example.com",
    },
    {
      id: "deep",
      title: "a name many labels down",
      apex: "example.com",
      name: "_acme-challenge.a.b.c.d.e.f.example.com",
    },
    {
      id: "repeated",
      title: "a name that has the zone's name in it twice",
      apex: "example.com",
      name: "_acme-challenge.example.com.example.com",
    },
    { id: "digits", title: "a name of digits", apex: "example.com", name: "_acme-challenge.4711.example.com" },
    {
      id: "idn",
      title: "an internationalized zone",
      apex: "bücher.example",
      name: "_acme-challenge.straße.bücher.example",
    },
    {
      id: "long",
      title: "the longest name that can be proven",
      apex: "example.com",
      name: `_acme-challenge.${`${"a".repeat(63)}.`.repeat(3)}${"b".repeat(33)}.example.com`,
    },
  ];

export const nameCases: readonly Case[] = names.map(({ id, title, apex, name }) => ({
  id: `names.${id}`,
  title: `writes and cleans ${title}`,
  zones: [apex],
  run: async ({ connect, service }) => {
    const connection = await connect();
    await connection.add(apex, name, "value-1");
    await expectValues(service, apex, name, ["value-1"], `${name} serves the value`);
    await connection.remove(apex, name, "value-1");
    await expectValues(service, apex, name, [], `${name} is clean again`);
  },
}));
