import { execFile } from "node:child_process";
import { mkdir, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import type { SshGateway } from "@berth/protocol";
import { type TemporaryDirectory, temporaryDirectory } from "@berth/testkit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { scpPath } from "../src/commands/ssh.ts";
import { knownHosts, ownPublicKey, type SshConfigFacts, sshConfig, sshFiles } from "../src/ssh/files.ts";
import { forwardSpec } from "../src/ssh/forwards.ts";
import { changeUserConfig, withInclude, withoutInclude } from "../src/ssh/include.ts";

const run = promisify(execFile);
const key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBERTHBERTHBERTHBERTHBERTHBERTHBERTHBERTHBER";
const gateway: SshGateway = {
  host: "10.0.0.5",
  port: 7422,
  user: "berth",
  hostKey: key,
  hostKeyFingerprint: "SHA256:x",
  gatewayKnownHosts: `[10.0.0.5]:7422 ${key}`,
  certAuthority: key,
};
const id = (letter: string) => `sbx_${letter.repeat(20)}`;
const sandboxes = [
  { id: id("a"), name: "web" },
  { id: id("b"), name: "api" },
];

describe("the files of OpenSSH", () => {
  let home: TemporaryDirectory;
  let facts: SshConfigFacts;

  beforeAll(async () => {
    home = await temporaryDirectory("berth cli %h ");
    const files = sshFiles(home.path, "default");
    facts = { gateway, files, profile: "default", sandboxes, url: "http://10.0.0.5:7400" };
    await mkdir(files.folder, { recursive: true });
    await writeFile(files.config, sshConfig(facts));
    await writeFile(files.knownHosts, knownHosts(facts));
  });
  afterAll(() => home.dispose());

  const resolved = async (host: string, config = facts.files.config) =>
    (await run("ssh", ["-G", "-F", config, host])).stdout.split("\n");

  it("reach each sandbox by its name, and believe the pinned key alone", async () => {
    const web = await resolved("web.berth");
    for (const line of [
      "hostname 10.0.0.5",
      "port 7422",
      "user web",
      "identitiesonly yes",
      "stricthostkeychecking true",
      `userknownhostsfile ${facts.files.knownHosts}`,
      // Told as it was written: ssh fills tokens in when it uses it.
      `identityfile ${facts.files.key.replaceAll("%", "%%")}`,
    ])
      expect(web).toContain(line);
    expect(await resolved("claude.api.berth")).toContain("user api+claude");
    expect(await resolved("berth")).toContain("user berth");
    expect(await resolved("elsewhere")).not.toContain("hostname 10.0.0.5");
    const found = await run("ssh-keygen", ["-F", "[10.0.0.5]:7422", "-f", facts.files.knownHosts]);
    expect(found.stdout).toContain(key);
  });

  it("have a key of this machine's own that OpenSSH reads, made once", async () => {
    const publicKey = await ownPublicKey(facts.files, "berth on laptop");
    expect(await ownPublicKey(facts.files, "another comment")).toBe(publicKey);
    expect((await stat(facts.files.key)).mode & 0o777).toBe(0o600);
    const { stdout } = await run("ssh-keygen", ["-y", "-f", facts.files.key]);
    expect(stdout.split(" ").slice(0, 2)).toEqual(publicKey.split(" ").slice(0, 2));
  });

  it("are included in the user's own once, at its top, and leave no trace when they are taken out", async () => {
    const own = "Host other\n  User me\n";
    await mkdir(join(home.path, ".ssh"), { recursive: true });
    await writeFile(join(home.path, "kept-elsewhere"), own);
    const config = join(home.path, ".ssh", "config");
    await symlink("../kept-elsewhere", config);
    const pattern = join(home.path, "ssh", "*", "config");
    const include = (text: string) => withInclude(text, pattern);
    expect(await changeUserConfig(home.path, include)).toBe(true);
    expect(await changeUserConfig(home.path, include)).toBe(false);
    expect((await readFile(config, "utf8")).match(/Include/g)).toHaveLength(1);
    expect(await resolved("api.berth", config)).toContain("user api");
    expect(await resolved("other", config)).toContain("user me");
    expect(await changeUserConfig(home.path, withoutInclude)).toBe(true);
    expect(await readFile(join(home.path, "kept-elsewhere"), "utf8")).toBe(own);
  });
});

it("reads ports as briefly as one says them", () => {
  expect(forwardSpec("3000")).toBe("127.0.0.1:3000:127.0.0.1:3000");
  expect(forwardSpec("8080:3000")).toBe("127.0.0.1:8080:127.0.0.1:3000");
  expect(forwardSpec("8080:db:5432")).toBe("127.0.0.1:8080:db:5432");
  expect(forwardSpec("0.0.0.0:8080:db:5432")).toBe("0.0.0.0:8080:db:5432");
  expect(forwardSpec("[::1]:8080:[::1]:80")).toBe("[::1]:8080:[::1]:80");
  for (const wrong of ["", "0", "65536", "web", "-o:1:x:2", "8080:-oProxyCommand=x:80", "1:2:3:4:5", "8080:a b:1"]) {
    expect(() => forwardSpec(wrong), wrong).toThrow(/not a port/);
  }
});

it("never lets scp take a file for a host or an option", () => {
  const path = (text: string) => scpPath(text, { sandboxes, profile: "default" });
  expect(path("web:/workspace/a")).toEqual({ text: "web.berth:/workspace/a", remote: true });
  expect(path(`${id("b")}:x`)).toEqual({ text: "api.berth:x", remote: true });
  expect(path("./web:x")).toEqual({ text: "./web:x", remote: false });
  expect(path("-rf")).toEqual({ text: "./-rf", remote: false });
  expect(path("Odd:Name")).toEqual({ text: "./Odd:Name", remote: false });
  expect(path("/abs")).toEqual({ text: "/abs", remote: false });
  expect(() => path("wbe:/x")).toThrow(/no sandbox/);
});
