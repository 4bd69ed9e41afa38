import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { type CertificateAuthority, ed25519FromSeed, signHostCertificate, sshKeyPair } from "../src/node/index.ts";
import { temporaryFolder } from "./support/folder.ts";

const run = promisify(execFile);

function authority(): CertificateAuthority & { fingerprint: string } {
  const seed = randomBytes(32);
  const { publicKey, fingerprint } = sshKeyPair(seed, "authority");
  return { privateKey: ed25519FromSeed(seed), publicKey, fingerprint };
}

describe("a host certificate", () => {
  const host = sshKeyPair(randomBytes(32), "host");
  const ca = authority();
  const wanted = {
    publicKey: host.publicKey,
    keyId: "web (sbx_1)",
    principals: ["web", "sbx_1", "10.0.0.7"],
    validAfter: Date.UTC(2026, 0, 1) / 1000,
    validBefore: Date.UTC(2026, 3, 1) / 1000,
  };

  test("is what OpenSSH's own reader takes it for", async () => {
    const path = join(temporaryFolder(), "key-cert.pub");
    await writeFile(path, `${signHostCertificate(ca, wanted)}\n`);
    const { stdout } = await run("ssh-keygen", ["-L", "-f", path], { env: { ...process.env, TZ: "UTC" } });
    expect(stdout).toContain("ssh-ed25519-cert-v01@openssh.com host certificate");
    expect(stdout).toContain(`Public key: ED25519-CERT ${host.fingerprint}`);
    expect(stdout).toContain(`Signing CA: ED25519 ${ca.fingerprint} (using ssh-ed25519)`);
    expect(stdout).toContain('Key ID: "web (sbx_1)"');
    expect(stdout).toContain("Valid: from 2026-01-01T00:00:00 to 2026-04-01T00:00:00");
    expect(stdout.replaceAll(/\s+/g, " ")).toContain("Principals: web sbx_1 10.0.0.7 Critical Options: (none)");
  });

  test("is the same for the same wish, and has another nonce for another", () => {
    const nonceOf = (line: string) =>
      Buffer.from(line.split(" ")[1] ?? "", "base64")
        .subarray(40, 72)
        .toString("hex");
    const made = signHostCertificate(ca, wanted);
    expect(signHostCertificate(ca, { ...wanted })).toBe(made);
    const others = [
      signHostCertificate(ca, { ...wanted, validBefore: wanted.validBefore + 1 }),
      signHostCertificate(authority(), wanted),
    ];
    expect(new Set([made, ...others].map(nonceOf)).size).toBe(3);
  });

  test("whose signature is another's is refused by OpenSSH", async () => {
    const path = join(temporaryFolder(), "key-cert.pub");
    const [type, base64 = ""] = signHostCertificate(ca, wanted).split(" ");
    const bytes = Buffer.from(base64, "base64");
    bytes.writeUInt8(bytes.readUInt8(bytes.length - 10) ^ 1, bytes.length - 10);
    await writeFile(path, `${type} ${bytes.toString("base64")}\n`);
    await expect(run("ssh-keygen", ["-L", "-f", path])).rejects.toThrow(/signature|invalid|not a certificate/i);
  });

  test("is made for names only, and of Ed25519 keys only", () => {
    expect(() => signHostCertificate(ca, { ...wanted, principals: [] })).toThrow(RangeError);
    expect(() => signHostCertificate(ca, { ...wanted, publicKey: "ssh-rsa AAAAB3NzaC1yc2E=" })).toThrow(RangeError);
  });
});
