import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import type { Observer } from "../core/events.ts";
import { thrownText } from "../core/thrown.ts";
import { timeText } from "../core/time-text.ts";
import { validity } from "./client-certificate.ts";
import { watchFiles } from "./file-watch.ts";

export interface KeyPair {
  readonly cert: string;
  readonly key: string;
  /** Milliseconds since 1970. */
  readonly notBefore: number;
  readonly notAfter: number;
}

export interface KeyPairFiles {
  readonly certFile: string;
  readonly keyFile: string;
}

/** Reads a pair that fits together. Throws an Error that says which file is wrong and how; never with its content. */
export async function readKeyPair({ certFile, keyFile }: KeyPairFiles): Promise<KeyPair> {
  const [cert, key] = await Promise.all([readFile(certFile, "utf8"), readFile(keyFile, "utf8")]);
  const leaf = parsed(certFile, "certificate in PEM", () => new X509Certificate(cert));
  const privateKey = parsed(keyFile, "private key in PEM without a passphrase", () => createPrivateKey(key));
  if (!leaf.checkPrivateKey(privateKey)) throw new Error(`${keyFile} is not the key of ${certFile}`);
  const { from, to } = validity(leaf);
  return { cert, key, notBefore: from, notAfter: to };
}

function parsed<T>(file: string, what: string, parse: () => T): T {
  try {
    return parse();
  } catch {
    throw new Error(`${file} holds no ${what}`);
  }
}

export interface ServingCertificateOptions extends KeyPairFiles {
  readonly observer: Observer;
  readonly now: () => number;
  readonly signal: AbortSignal;
  /** A new pair is there. */
  readonly onChange: (pair: KeyPair) => void;
  readonly onReload?: (result: "ok" | "failed") => void;
}

export interface ServingCertificate {
  current(): KeyPair;
  /** Why it should not be served any longer, or soon; undefined while it is good. */
  fault(): string | undefined;
}

/** Never nearer to the end than this, or a twentieth of its life where that is shorter. */
const MARGIN_MS = 10 * 60_000;

/** Follows the files. A pair that is no pair, or has ended, is told and the one before stays. */
export function followServingCertificate(initial: KeyPair, options: ServingCertificateOptions): ServingCertificate {
  const { observer, now, signal, onChange, onReload = () => {} } = options;
  let current = initial;
  let said = "";

  const complain = (text: string) => {
    if (text === said) return;
    said = text;
    onReload("failed");
    observer({ type: "warning", code: "W_SERVING_CERTIFICATE", text: `${text}; goes on with the one before` });
  };

  const reload = async () => {
    try {
      const pair = await readKeyPair(options);
      if (signal.aborted || (pair.cert === current.cert && pair.key === current.key)) {
        said = "";
        return;
      }
      if (pair.notAfter < now() && pair.notAfter < current.notAfter) {
        complain(`${options.certFile} has ended at ${timeText(pair.notAfter)}`);
        return;
      }
      onChange(pair);
      current = pair;
      said = "";
      onReload("ok");
      const text = `serving certificate reloaded; it ends at ${timeText(pair.notAfter)}`;
      observer({ type: "log", level: "info", text });
    } catch (error) {
      complain(thrownText(error));
    }
  };

  let line = Promise.resolve();
  const onFiles = () => {
    line = line.then(reload);
  };
  watchFiles({ paths: [options.certFile, options.keyFile], onChange: onFiles, signal });

  return {
    current: () => current,
    fault() {
      const margin = Math.min(MARGIN_MS, (current.notAfter - current.notBefore) / 20);
      if (now() < current.notAfter - margin) return undefined;
      return `the serving certificate ends at ${timeText(current.notAfter)} and was not renewed`;
    },
  };
}
