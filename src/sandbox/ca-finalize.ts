import * as x509 from "@peculiar/x509";
import type { DomainName } from "../core/name.ts";
import { base64url } from "./ca-jws.ts";
import { ownOrder, viewOrder } from "./ca-orders.ts";
import { AcmeProblem, malformed, notFound, unauthorized } from "./ca-problem.ts";
import { renewalIdOf } from "./ca-renewal.ts";
import { calculateSpkiThumbprint } from "./ca-spki.ts";
import { type AcmeReply, type AcmeRequest, type CaAccount, type CaOrder, type CaState, newId } from "./ca-state.ts";

const day = 86_400_000;
const defaultDays = 90;
/** As public CAs do, so that clients whose clock is behind can use the certificate at once. */
const backdateMs = 3_600_000;
const rsaSizes: readonly number[] = [2048, 3072, 4096];
const curves: readonly string[] = ["P-256", "P-384"];
const sanOid = "2.5.29.17";
const commonNameOid = "2.5.4.3";

/** RFC 8555 §7.4: takes the CSR of a ready order; the certificate is made after the answer, as big CAs do. */
export async function finalize(state: CaState, id: string, { account, payload }: AcmeRequest): Promise<AcmeReply> {
  const order = ownOrder(state, id, account);
  if (payload === undefined) throw malformed("finalize needs a payload");
  if (order.status !== "ready") {
    throw new AcmeProblem("orderNotReady", 403, `the order is ${order.status}, not ready`);
  }
  const csr = payload["csr"];
  if (typeof csr !== "string" || csr === "") throw malformed('finalize needs "csr"');
  const wanted = await readCsr(base64url(csr, "CSR"), order, account);
  // Another finalize may have come in while the CSR was read.
  if (order.status !== "ready") throw new AcmeProblem("orderNotReady", 403, `the order is ${order.status}, not ready`);
  order.status = "processing";
  state.later(state.behaviour.issuanceDelayMs ?? 0, () =>
    issue(state, order, wanted).catch((error: unknown) => {
      const detail = `defect in the sandbox: ${error instanceof Error ? error.message : String(error)}`;
      order.status = "invalid";
      order.error = new AcmeProblem("serverInternal", 500, detail).document();
    }),
  );
  return viewOrder(state, order);
}

/** RFC 8555 §7.4.2; `index` 0 is the default chain. */
export function downloadCertificate(state: CaState, id: string, index: number, { account }: AcmeRequest): AcmeReply {
  const found = state.certificates.get(id);
  const chain = found?.chains[index];
  if (found === undefined || chain === undefined) throw notFound("certificate");
  if (found.account !== account) throw unauthorized("this certificate belongs to another account");
  const base = `${state.origin()}/cert/${id}`;
  const others = found.chains.flatMap((_, i) => {
    return i === index ? [] : [`<${i === 0 ? base : `${base}/${i}`}>;rel="alternate"`];
  });
  return { status: 200, headers: { link: others }, contentType: "application/pem-certificate-chain", body: chain };
}

interface Wanted {
  readonly publicKey: x509.PublicKey;
  readonly commonName: string | undefined;
}

async function issue(state: CaState, order: CaOrder, wanted: Wanted): Promise<void> {
  const now = state.now().getTime();
  const ofProfile = order.profile === undefined ? undefined : state.profiles.get(order.profile);
  const days = ofProfile ?? state.behaviour.lifetimeDays ?? defaultDays;
  // A certificate of minutes must not be born expired.
  const notBefore = order.notBefore ?? new Date(now - Math.min(backdateMs, (days * day) / 10));
  const notAfter = order.notAfter ?? new Date(notBefore.getTime() + days * day - 1000);
  const leaf = await state.pki.issue({
    names: state.random.shuffled(order.names),
    publicKey: wanted.publicKey,
    commonName: wanted.commonName,
    notBefore,
    notAfter,
  });
  const issued = {
    id: newId(),
    account: order.account,
    names: order.names,
    certificate: leaf.certificate,
    serial: leaf.serial,
    renewalId: renewalIdOf(leaf.certificate),
    chains: leaf.chains,
  };
  state.certificates.set(issued.id, issued);
  order.certificate = issued;
  order.status = "valid";
}

/** RFC 8555 §7.4: exactly the names of the order, a key this CA takes, and not the account's. */
async function readCsr(der: Uint8Array, order: CaOrder, account: CaAccount): Promise<Wanted> {
  const bad = (detail: string) => new AcmeProblem("badCSR", 400, detail);
  const csr = parseCsr(der, bad);
  if (!(await csr.verify().catch(() => false))) throw bad("the CSR is not signed by its own key");
  await checkKey(csr.publicKey, account);
  const { names, commonName } = namesOf(csr, bad);
  const missing = order.names.filter((n) => !names.has(n));
  const foreign = [...names].filter((n) => !order.names.some((o) => o === n));
  if (missing.length > 0) throw bad(`the CSR lacks ${missing.join(", ")}`);
  if (foreign.length > 0) throw bad(`the CSR asks for ${foreign.join(", ")}, which the order does not name`);
  return { publicKey: csr.publicKey, commonName };
}

function parseCsr(der: Uint8Array, bad: (detail: string) => AcmeProblem): x509.Pkcs10CertificateRequest {
  try {
    // A copy: the parser reads the whole buffer behind a view.
    return new x509.Pkcs10CertificateRequest(Uint8Array.from(der).buffer);
  } catch {
    throw bad("the CSR is no PKCS #10 request in DER");
  }
}

function namesOf(csr: x509.Pkcs10CertificateRequest, bad: (detail: string) => AcmeProblem) {
  const names = new Set<string>();
  for (const entry of alternativeNames(csr, bad)) {
    if (entry.type !== "dns") throw bad(`the CSR asks for a name of type "${entry.type}"`);
    names.add(entry.value.toLowerCase());
  }
  const commonNames = csr.subjectName.getField(commonNameOid);
  if (commonNames.length > 1) throw bad("the subject of the CSR has more than one common name");
  const commonName = commonNames[0]?.toLowerCase();
  if (commonName !== undefined) {
    if (commonName.length > 64) throw bad("the common name is longer than 64 characters");
    names.add(commonName);
  }
  return { names: names as ReadonlySet<DomainName | string>, commonName };
}

/** Extensions are read when they are looked at: a CSR that parsed may hold one that does not. */
function alternativeNames(csr: x509.Pkcs10CertificateRequest, bad: (detail: string) => AcmeProblem) {
  try {
    const extension = csr.extensions.find((e) => e.type === sanOid);
    if (extension === undefined) return [];
    return new x509.SubjectAlternativeNameExtension(extension.rawData).names.toJSON();
  } catch {
    throw bad("the extensions of the CSR cannot be read");
  }
}

async function checkKey(key: x509.PublicKey, account: CaAccount): Promise<void> {
  const bad = (detail: string) => new AcmeProblem("badCSR", 400, detail);
  const { algorithm } = key;
  if ("modulusLength" in algorithm) {
    const bits = Number(algorithm.modulusLength);
    if (!rsaSizes.includes(bits)) throw bad(`an RSA key of ${bits} bits is not accepted, only ${rsaSizes.join(", ")}`);
  } else {
    const curve = "namedCurve" in algorithm ? String(algorithm.namedCurve) : algorithm.name;
    if (!curves.includes(curve)) throw bad(`a key of type ${curve} is not accepted, only RSA and ${curves.join(", ")}`);
  }
  if ((await calculateSpkiThumbprint(key)) === account.thumbprint) throw bad("the key of the CSR is the account key");
}
