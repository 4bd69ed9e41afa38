import { createHash, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { sshString } from "@berth/base/node";
import { describe, expect, test } from "vitest";
import { terminalSize } from "../src/gateway/claude-session.ts";
import { isSignedByHardware } from "../src/gateway/hardware-signature.ts";
import { printable, readLogin } from "../src/gateway/login.ts";
import { readNumber, readString } from "../src/gateway/wire.ts";

const sha256 = (bytes: string | Buffer) => createHash("sha256").update(bytes).digest();

/** What a key in hardware signs: PROTOCOL.u2f of OpenSSH. */
function touched(data: Buffer, flags = 1): { signed: Buffer; trailer: Buffer } {
  const trailer = Buffer.of(flags, 0, 0, 0, 9);
  return { signed: Buffer.concat([sha256("ssh:"), trailer, sha256(data)]), trailer };
}

function ed25519Key(): { privateKey: KeyObject; blob: Buffer } {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  const raw = publicKey.export({ format: "der", type: "spki" }).subarray(-32);
  return { privateKey, blob: Buffer.concat(["sk-ssh-ed25519@openssh.com", raw, "ssh:"].map(sshString)) };
}

describe("a signature by a key in hardware", () => {
  const data = Buffer.from("what was agreed on");

  test("of Ed25519 is right for what was signed, by that key, and touched", () => {
    const { privateKey, blob } = ed25519Key();
    const { signed, trailer } = touched(data);
    const signature = Buffer.concat([sign(null, signed, privateKey), trailer]);
    expect(isSignedByHardware(blob, data, signature)).toBe(true);
    expect(isSignedByHardware(blob, Buffer.from("something else"), signature)).toBe(false);
    expect(isSignedByHardware(ed25519Key().blob, data, signature)).toBe(false);
    const untouched = touched(data, 0);
    const silent = Buffer.concat([sign(null, untouched.signed, privateKey), untouched.trailer]);
    expect(isSignedByHardware(blob, data, silent)).toBe(false);
  });

  test("of ECDSA is too", () => {
    const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const point = publicKey.export({ format: "der", type: "spki" }).subarray(-65);
    const parts = ["sk-ecdsa-sha2-nistp256@openssh.com", "nistp256", point, "ssh:"];
    const { signed, trailer } = touched(data);
    const plain = sign("sha256", signed, { key: privateKey, dsaEncoding: "ieee-p1363" });
    // As SSH writes numbers: a zero before a first bit that is set.
    const [r, s] = [plain.subarray(0, 32), plain.subarray(32)].map((digits) =>
      sshString(Buffer.concat([Buffer.alloc(1), digits])),
    );
    const signature = Buffer.concat([r ?? "", s ?? "", trailer].map((part) => Buffer.from(part)));
    const blob = Buffer.concat(parts.map(sshString));
    expect(isSignedByHardware(blob, data, signature)).toBe(true);
    expect(isSignedByHardware(blob, Buffer.from("x"), signature)).toBe(false);
  });

  test("that is cut anywhere is wrong, and nothing throws", () => {
    const { privateKey, blob } = ed25519Key();
    const { signed, trailer } = touched(data);
    const signature = Buffer.concat([sign(null, signed, privateKey), trailer]);
    for (let length = 0; length < signature.length; length += 1) {
      expect(isSignedByHardware(blob, data, signature.subarray(0, length))).toBe(false);
    }
    for (let length = 0; length < blob.length; length += 1) {
      expect(isSignedByHardware(blob.subarray(0, length), data, signature)).toBe(false);
    }
  });
});

describe("a user name", () => {
  test("is the gateway, a sandbox by name or id, or its Claude", () => {
    expect(readLogin("berth")).toEqual({ kind: "gateway" });
    expect(readLogin("web")).toEqual({ kind: "sandbox", reference: "web", claude: false });
    expect(readLogin("web+claude")).toEqual({ kind: "sandbox", reference: "web", claude: true });
    const id = `sbx_${"0".repeat(20)}`;
    expect(readLogin(`${id}+claude`)).toEqual({ kind: "sandbox", reference: id, claude: true });
  });

  test("that is neither is shown in characters that harm no terminal", () => {
    for (const name of ["", "Web", "web+other", "../x", "-x"]) expect(readLogin(name).kind).toBe("unknown");
    expect(printable("\u001b[2Jx\n\u00fc")).toBe("?[2Jx??");
    expect(printable("x".repeat(1000))).toHaveLength(64);
  });
});

test("a terminal's size that a client does not know is the usual one, and what it says is bounded", () => {
  expect(terminalSize({ cols: 0, rows: 0 })).toEqual({ cols: 80, rows: 24 });
  expect(terminalSize({ cols: 132, rows: 50 })).toEqual({ cols: 132, rows: 50 });
  expect(terminalSize({ cols: 2 ** 31, rows: 2 ** 31 })).toEqual({ cols: 1000, rows: 500 });
});

describe("a message", () => {
  test("is never read beyond its end", () => {
    const payload = Buffer.concat([Buffer.of(90), sshString("session"), Buffer.of(1, 2, 3)]);
    const kind = readString(payload, 1);
    expect(kind?.value.toString()).toBe("session");
    expect(readNumber(payload, kind?.end ?? 0)).toBeUndefined();
    expect(readString(payload, kind?.end ?? 0)).toBeUndefined();
    expect(readString(Buffer.from([0xff, 0xff, 0xff, 0xff, 1]), 0)).toBeUndefined();
  });
});
