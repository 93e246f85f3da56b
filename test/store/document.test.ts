import { expect, test } from "vitest";
import { type DocumentKind, parseDocument } from "../../src/store/document.ts";

const kind: DocumentKind = {
  title: "the thing",
  current: 3,
  remedy: "Do this.",
  migrations: {
    1: ({ names, ...rest }) => ({ ...rest, domains: names }),
    2: (older) => ({ ...older, keyType: "ec256" }),
  },
};

test("an older document is brought to the current schema step by step, unknown members included", () => {
  const third = { schema: 3, domains: ["a"], keyType: "ec256", mine: true };
  expect(parseDocument(`{"schema":1,"names":["a"],"mine":true}`, "f", kind)).toEqual(third);
  expect(parseDocument(`{"schema":2,"domains":["a"],"mine":true}`, "f", kind)).toEqual(third);
  expect(parseDocument(JSON.stringify(third), "f", kind)).toEqual(third);
});

test("what cannot be brought there says so", () => {
  expect(() => parseDocument(`{"schema":0}`, "f", kind)).toThrow("f: the thing has schema 0, which cannot be migrated");
  expect(() => parseDocument(`{"schema":4}`, "f", kind)).toThrow("knows only up to 3");
  expect(() => parseDocument(`{"schema":"1"}`, "f", kind)).toThrow("has no schema version");
});
