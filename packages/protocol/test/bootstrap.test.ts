import { describe, expect, it } from "vitest";
import { type BootstrapRequest, bootstrapRequestText } from "../src/index.ts";

const request: BootstrapRequest = {
  hostname: "one",
  hostKey: {
    privateKey: "-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl\nbnNz=\n-----END OPENSSH PRIVATE KEY-----\n",
    publicKey: "ssh-ed25519 AAAAC3Nz berth-sbx_1",
  },
  hostCertificate: "ssh-ed25519-cert-v01@openssh.com AAAAIHNz one (sbx_1)",
  authorizedKeys: ["ssh-ed25519 AAAA controller", "ssh-ed25519 BBBB somebody's"],
  agent: {
    sandboxId: "sbx_1",
    sandboxName: "one",
    controllerUrl: "wss://127.0.0.1:1",
    controllerCertificate: "PEM\nPEM\n",
    secret: "s".repeat(43),
    env: { A: "two\nlines, é 😀\u2028" },
  },
};

describe("the text of a bootstrap's request", () => {
  it("is lines that a shell tells apart without looking into them, and ends with a mark", () => {
    const lines = bootstrapRequestText(request).split("\n");
    expect(lines.filter((line) => !line.startsWith("agent "))).toEqual([
      "berth-bootstrap 1",
      "hostname one",
      "authorized-key ssh-ed25519 AAAA controller",
      "authorized-key ssh-ed25519 BBBB somebody's",
      "host-key -----BEGIN OPENSSH PRIVATE KEY-----",
      "host-key b3Bl",
      "host-key bnNz=",
      "host-key -----END OPENSSH PRIVATE KEY-----",
      "host-key-public ssh-ed25519 AAAAC3Nz berth-sbx_1",
      "end",
      "host-certificate ssh-ed25519-cert-v01@openssh.com AAAAIHNz one (sbx_1)",
      "end",
      "",
    ]);
  });

  it("has the agent's configuration as one line of ASCII that says the same", () => {
    const line =
      bootstrapRequestText(request)
        .split("\n")
        .find((one) => one.startsWith("agent ")) ?? "";
    expect(line).toMatch(/^[\x20-\x7e]+$/);
    expect(JSON.parse(line.slice("agent ".length))).toEqual(request.agent);
  });

  it.each<[string, Partial<BootstrapRequest>]>([
    ["a name of two lines", { hostname: "one\nend" }],
    ["a name that a shell could read otherwise", { hostname: "$(id)" }],
    ["a name that looks like an option", { hostname: "-F" }],
    ["a key of two lines", { authorizedKeys: ["ssh-ed25519 AAAA\nend"] }],
    ["a key with a carriage return", { authorizedKeys: ["ssh-ed25519 AAAA\r"] }],
    ["a key with a NUL", { authorizedKeys: ["ssh-ed25519 AAAA\0"] }],
    ["no key at all", { authorizedKeys: [] }],
    ["a host key with a line of another kind", { hostKey: withLine("more lines") }],
    ["a host key with an empty line", { hostKey: withLine("") }],
    ["a public key of two lines", { hostKey: { ...request.hostKey, publicKey: "ssh-ed25519 AAAAC3Nz a\nend" } }],
    ["a public key that ends its line", { hostKey: { ...request.hostKey, publicKey: "ssh-ed25519 AAAAC3Nz\n" } }],
    ["a certificate of two lines", { hostCertificate: `${request.hostCertificate}\nend` }],
    ["a certificate of another kind", { hostCertificate: request.hostKey.publicKey }],
    ["a secret that is too short", { agent: { ...request.agent, secret: "s" } }],
  ])("is refused for %s", (_name, part) => {
    expect(() => bootstrapRequestText({ ...request, ...part })).toThrow(
      new TypeError("the bootstrap request is not valid"),
    );
  });

  it("is refused when it would be too long", () => {
    const value = "x".repeat(16_384);
    const env = Object.fromEntries(Array.from({ length: 256 }, (_, index) => [`V${index}`, value]));
    expect(() => bootstrapRequestText({ ...request, agent: { ...request.agent, env } })).toThrow("too long");
  });
});

function withLine(line: string): BootstrapRequest["hostKey"] {
  const { privateKey, publicKey } = request.hostKey;
  return { privateKey: privateKey.replace("\nbnNz=", `\n${line}\nbnNz=`), publicKey };
}
