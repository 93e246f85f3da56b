/**
 * Of every agent of ours. Kept open for less time than API servers and what stands in front of them keep theirs, and
 * never the first half of an address pair given up after Node's 250 ms.
 */
export const connectionOptions = {
  keepAlive: true,
  keepAliveMsecs: 30_000,
  maxFreeSockets: 8,
  timeout: 60_000,
  // A kubeconfig's insecure-skip-tls-verify overrides it.
  rejectUnauthorized: true,
  autoSelectFamilyAttemptTimeout: 1500,
} as const;
