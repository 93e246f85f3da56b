// How files of any kind are read. Apart from index.ts: the types of the library lead there, and have to be whole without
// those of Node.
export { readableByOthers } from "./private-file.ts";
export { configLimit, isPipe, readLimited, secretLimit } from "./read-limited.ts";
