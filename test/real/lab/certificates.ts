import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { serviceFile } from "./services.ts";

/** Files for a private CA's API on loopback: what clients trust, and what the server shows. */
export interface ApiCertificate {
  readonly root: string;
  readonly cert: string;
  readonly key: string;
}

/** A small CA and a server certificate for 127.0.0.1 and localhost, made by openssl. */
export function makeApiCertificate(dir: string): ApiCertificate {
  const file = (name: string) => join(dir, name);
  const openssl = (...args: readonly string[]) => execFileSync(serviceFile("openssl"), args, { stdio: "pipe" });
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  openssl(
    "req",
    "-x509",
    ...key,
    "-keyout",
    file("api-root.key"),
    "-out",
    file("api-root.pem"),
    "-days",
    "2",
    "-subj",
    "/CN=lab API root",
    "-addext",
    "keyUsage=critical,keyCertSign",
    "-addext",
    "basicConstraints=critical,CA:TRUE",
  );
  writeFileSync(
    file("api.ext"),
    "subjectAltName=IP:127.0.0.1,DNS:localhost\nextendedKeyUsage=serverAuth\nbasicConstraints=CA:FALSE\n",
  );
  openssl("req", "-new", ...key, "-keyout", file("api.key"), "-out", file("api.csr"), "-subj", "/CN=localhost");
  openssl(
    "x509",
    "-req",
    "-in",
    file("api.csr"),
    "-CA",
    file("api-root.pem"),
    "-CAkey",
    file("api-root.key"),
    "-CAcreateserial",
    "-days",
    "2",
    "-out",
    file("api.pem"),
    "-extfile",
    file("api.ext"),
  );
  return { root: file("api-root.pem"), cert: file("api.pem"), key: file("api.key") };
}
