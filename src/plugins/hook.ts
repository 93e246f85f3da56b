import { createResolve } from "./resolve.ts";

/** Entry for `register` of node:module, which loads it in the loader's thread; told by its address what leads where. */
const { searchParams } = new URL(import.meta.url);

export const resolve = createResolve({
  dns01: searchParams.get("dns01") ?? "",
  testing: searchParams.get("testing") ?? "",
});
