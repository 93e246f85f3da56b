/** A module of its own, so that the parser is loaded only when there is a file, and by name when bundled. */
export { type Alias, isAlias, isMap, isScalar, isSeq, LineCounter, parseAllDocuments, parseDocument } from "yaml";
