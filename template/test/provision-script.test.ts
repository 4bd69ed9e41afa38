import { execFileSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { fetchedParts, parseProvisionLine, provisionScript, templateVersion } from "../src/index.ts";
import { shellcheck } from "./support/needs.ts";

const version = "0123456789abcdef";
const bootstrap = {
  hostPrivateKey: "-----BEGIN OPENSSH PRIVATE KEY-----\nit's $& a key\n-----END OPENSSH PRIVATE KEY-----\n",
  clientPublicKey: "ssh-ed25519 AAAA it's the controller\n",
};

const scripts = {
  "with everything required": provisionScript({ optional: [], version, bootstrap }),
  "with everything optional": provisionScript({ optional: fetchedParts, version, bootstrap }),
  "without keys": provisionScript({ optional: [], version }),
};

describe.each(Object.entries(scripts))("the provisioning script %s", (_, script) => {
  it("is a valid program of a POSIX shell", () => {
    for (const shell of ["dash", "bash"]) execFileSync(shell, ["-n"], { input: script });
  });

  it("has nothing that shellcheck warns of", () => {
    expect(shellcheck(script)).toBe("");
  });

  it("announces every step by a line that the builders read", () => {
    const echoed = [...script.slice(script.indexOf("main()")).matchAll(/^ {2}echo '(berth-.*)'$/gm)].map(([, line]) =>
      parseProvisionLine(line ?? ""),
    );
    expect(echoed.at(0)).toEqual({ kind: "step", name: "check" });
    expect(echoed.at(-1)).toEqual({ kind: "done" });
    expect(echoed.slice(0, -1).every((line) => line?.kind === "step")).toBe(true);
  });
});

describe("the provisioning script", () => {
  it("writes the keys as they are", () => {
    const lines = scripts["with everything required"].split("\n");
    const start = lines.findIndex((line) => line.startsWith("printf '%s\\n' '-----BEGIN"));
    const end = lines.findIndex((line) => line.includes('>"$key"'));
    const command = lines
      .slice(start, end + 1)
      .join("\n")
      .replace('>"$key"', "");
    expect(execFileSync("dash", ["-c", command], { encoding: "utf8" })).toBe(bootstrap.hostPrivateKey);
  });

  it("fails for want of Docker on Proxmox, and says so where Docker is optional", () => {
    expect(scripts["with everything required"]).toMatch(/die 'https:\/\/download\.docker\.com cannot be reached/);
    expect(scripts["with everything required"]).not.toContain("\n  debian_docker");
    expect(scripts["with everything optional"]).not.toMatch(/die 'https:/);
  });

  it("prints no key", () => {
    expect(scripts["with everything required"]).not.toContain("set -x");
  });
});

describe("a line of the provisioning script", () => {
  it.each([
    ["berth-step: docker", { kind: "step", name: "docker" }],
    ["berth-skipped: docker-29: no way: really", { kind: "skipped", name: "docker-29", reason: "no way: really" }],
    ["berth-note: it rains", { kind: "note", text: "it rains" }],
    ["berth-failed: the disk is full", { kind: "failed", reason: "the disk is full" }],
    ["berth-done", { kind: "done" }],
    ["Setting up tini (0.19.0-1+b3) ...", undefined],
    [" berth-done", undefined],
  ])("%j is understood", (line, meaning) => {
    expect(parseProvisionLine(line)).toEqual(meaning);
  });
});

describe("the template's version", () => {
  const payload = { programs: "/p", modules: {}, node: "/n", npm: undefined, claude: undefined };

  it("changes with the payload, and not with where that lies", () => {
    const one = templateVersion({ ...payload, version: "1" });
    expect(templateVersion({ ...payload, version: "1", node: "/elsewhere/node" })).toBe(one);
    expect(templateVersion({ ...payload, version: "2" })).not.toBe(one);
    expect(one).toMatch(/^[0-9a-f]{16}$/);
  });
});
