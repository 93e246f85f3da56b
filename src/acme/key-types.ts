/** Without any import: the library's types are made of it, and need no @types/node. */
export type KeyType = "ec256" | "ec384" | "rsa2048" | "rsa3072" | "rsa4096";

export const keyTypes: readonly KeyType[] = ["ec256", "ec384", "rsa2048", "rsa3072", "rsa4096"];
