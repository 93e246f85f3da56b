import { type AcmeClientDeps, createAcmeClient } from "./client.ts";
import { createTransport, type Transport } from "./transport.ts";
import type { AcmeClient, AcmeClientOptions } from "./types.ts";

/** Clients for many orders over the same connections: trusting a private CA and shaking hands cost more than an order. */
export interface AcmeConnector {
  connect(options: AcmeClientOptions): Promise<AcmeClient>;
  close(): void;
}

export function createAcmeConnector(deps: Omit<AcmeClientDeps, "transport">): AcmeConnector {
  const transports = new Map<string, Transport>();
  return {
    async connect(options) {
      const { caRoot } = options;
      const known = transports.get(caRoot ?? "");
      if (known !== undefined) return await createAcmeClient(options, { ...deps, transport: known });
      // The first client checks what is to be trusted, before it is used.
      await createAcmeClient(options, deps).then((client) => client.close());
      const transport = transports.get(caRoot ?? "") ?? createTransport({ caRoot, env: deps.env ?? process.env });
      transports.set(caRoot ?? "", transport);
      return await createAcmeClient(options, { ...deps, transport });
    },
    close() {
      for (const transport of transports.values()) transport.close();
      transports.clear();
    },
  };
}
