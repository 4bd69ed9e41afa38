import { X509Certificate } from "node:crypto";
import { join } from "node:path";
import Type from "typebox";
import { loadJson, loadOrCreate } from "../state/json-file.ts";

const lifetimeYears = 20;

export interface Certificate {
  /** PEM. */
  readonly certificate: string;
  readonly key: string;
  /** SHA-256, `AA:BB:…`. */
  readonly fingerprint: string;
}

const schema = Type.Object({ certificate: Type.String(), key: Type.String() });
const fileOf = (dataDir: string) => join(dataDir, "certificate.json");

/** PEM of the certificate that a data folder has. Throws when it has none yet. */
export async function storedCertificate(dataDir: string): Promise<string> {
  const stored = await loadJson(fileOf(dataDir), schema);
  if (!stored) throw new Error(`no emulator has used ${dataDir} yet`);
  return stored.certificate;
}

/** The self-made certificate: of the data folder, or new on the first start. Hosts but the first have files of their own. */
export async function loadCertificate(dataDir: string, node: string, first = true): Promise<Certificate> {
  const path = first ? fileOf(dataDir) : join(dataDir, `certificate-${node}.json`);
  const stored = await loadOrCreate(path, schema, async () => {
    // Loaded only when it is needed: it is slow, and a start is to be quick.
    const { generate } = await import("selfsigned");
    const notAfterDate = new Date();
    notAfterDate.setFullYear(notAfterDate.getFullYear() + lifetimeYears);
    const names = [
      { type: 2, value: "localhost" },
      { type: 2, value: node },
      { type: 7, ip: "127.0.0.1" },
    ] as const;
    const made = await generate([{ name: "commonName", value: node }], {
      keyType: "ec",
      algorithm: "sha256",
      notAfterDate,
      extensions: [{ name: "subjectAltName", altNames: [...names] }],
    });
    return { certificate: made.cert, key: made.private };
  });
  return { ...stored, fingerprint: new X509Certificate(stored.certificate).fingerprint256 };
}
