import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryDirectory } from "@berth/testkit";
import { expect, test } from "vitest";
import { readPublicKey } from "../src/identity/public-key.ts";

async function made(...options: string[]): Promise<{ line: string; fingerprint: string; privateKey: string }> {
  const folder = await temporaryDirectory();
  try {
    const file = join(folder.path, "key");
    execFileSync("ssh-keygen", ["-q", "-N", "", "-C", "me@laptop", "-f", file, ...options]);
    const fingerprint =
      execFileSync("ssh-keygen", ["-lf", `${file}.pub`])
        .toString()
        .split(" ")[1] ?? "";
    return { line: readFileSync(`${file}.pub`, "utf8"), privateKey: readFileSync(file, "utf8"), fingerprint };
  } finally {
    await folder.dispose();
  }
}

function hardwareKey(type: string, ...parts: Buffer[]): string {
  const strings = [Buffer.from(type), ...parts].map((part) => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(part.length);
    return Buffer.concat([length, part]);
  });
  return `${type} ${Buffer.concat(strings).toString("base64")} token`;
}

test.each([
  [["-t", "ed25519"]],
  [["-t", "ecdsa", "-b", "256"]],
  [["-t", "ecdsa", "-b", "521"]],
  [["-t", "rsa", "-b", "2048"]],
])("a key of ssh-keygen %j is read with OpenSSH's own fingerprint", async (options) => {
  const key = await made(...options);
  expect(readPublicKey(key.line)).toEqual({
    line: key.line.trim(),
    comment: "me@laptop",
    fingerprint: key.fingerprint,
  });
});

test("a key of a hardware token is read", () => {
  const key = hardwareKey("sk-ssh-ed25519@openssh.com", Buffer.alloc(32, 7), Buffer.from("ssh:"));
  expect(readPublicKey(key).line).toBe(key);
});

test("a short RSA key is refused", async () => {
  const { line } = await made("-t", "rsa", "-b", "1024");
  expect(() => readPublicKey(line)).toThrow("2048 bits");
});

test("a private key is refused, and said to be known", async () => {
  const { privateKey } = await made("-t", "ed25519");
  expect(() => readPublicKey(privateKey)).toThrow("private key");
});

test("options, several lines, other types and damaged keys are refused", async () => {
  const { line } = await made("-t", "ed25519");
  const damaged = [
    `command="sh" ${line}`,
    `${line}${line}`,
    line.replace("ssh-ed25519", "ssh-rsa"),
    line.replace("ssh-ed25519", "ssh-dss"),
    line.replace(/ AAAA\S{10}/, " AAAA"),
    `ssh-ed25519 ${"A".repeat(40)}`,
    hardwareKey("sk-ssh-ed25519@openssh.com", Buffer.alloc(31)),
    "not a key at all, really",
  ];
  for (const text of damaged) expect(() => readPublicKey(text), text).toThrow("publicKey:");
});
