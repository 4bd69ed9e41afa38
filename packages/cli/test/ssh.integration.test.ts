import { execFile } from "node:child_process";
import { mkdir, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { promisify } from "node:util";
import type { SshGateway } from "@berth/protocol";
import { type TemporaryDirectory, temporaryDirectory } from "@berth/testkit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { scpPath } from "../src/commands/ssh.ts";
import { knownHosts, ownPublicKey, type SshConfigFacts, sshConfig, sshFiles } from "../src/ssh/files.ts";
import { forwardingOf, mustBeFree } from "../src/ssh/forwards.ts";
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
const usual = { state: "ready", error: null, sshPort: 22 } as const;
const sandboxes = [
  { id: id("a"), name: "web", address: "10.0.0.7", ...usual, sshPort: 2222 },
  { id: id("b"), name: "api", address: null, ...usual },
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
    const direct = await resolved("direct.web.berth");
    for (const line of ["hostname 10.0.0.7", "port 2222", "user berth", "hostkeyalias web"])
      expect(direct).toContain(line);
    const jump = await resolved("jump.api.berth");
    for (const line of ["hostname api", "port 22", "user berth", "hostkeyalias api", "proxyjump berth"])
      expect(jump).toContain(line);
    for (const itself of [direct, jump]) {
      expect(itself).toContain("stricthostkeychecking true");
      expect(itself).toContain(`userknownhostsfile ${facts.files.knownHosts}`);
    }
    // Where it is is not known.
    expect(await resolved("direct.api.berth")).toContain("hostname direct.api.berth");
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

it("says which port of this machine is taken, and how to say another", async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await expect(mustBeFree(forwardingOf(`${port}`))).rejects.toMatchObject({
    exitCode: 5,
    message: `127.0.0.1:${port} is in use on this machine.`,
    hint: expect.stringContaining("8080:80"),
  });
  await new Promise((resolve) => server.close(resolve));
  await mustBeFree(forwardingOf(`${port}`));
});

it("reads ports as briefly as one says them", () => {
  expect(forwardingOf("3000").spec).toBe("127.0.0.1:3000:127.0.0.1:3000");
  expect(forwardingOf("8080:3000").spec).toBe("127.0.0.1:8080:127.0.0.1:3000");
  expect(forwardingOf("8080:db:5432").spec).toBe("127.0.0.1:8080:db:5432");
  expect(forwardingOf("0.0.0.0:8080:db:5432").spec).toBe("0.0.0.0:8080:db:5432");
  expect(forwardingOf("[::1]:8080:[::1]:80").spec).toBe("[::1]:8080:[::1]:80");
  for (const wrong of ["", "0", "65536", "web", "-o:1:x:2", "8080:-oProxyCommand=x:80", "1:2:3:4:5", "8080:a b:1"]) {
    expect(() => forwardingOf(wrong), wrong).toThrow(/not a port/);
  }
});

it("never lets scp take a file for a host or an option", () => {
  const path = (text: string) => scpPath(text, { sandboxes, profile: "default" });
  expect(path("web:/workspace/a")).toEqual({ text: "web.berth:/workspace/a", remote: sandboxes[0] });
  expect(path(`${id("b")}:x`)).toEqual({ text: "api.berth:x", remote: sandboxes[1] });
  expect(path("./web:x")).toEqual({ text: "./web:x", remote: undefined });
  expect(path("-rf")).toEqual({ text: "./-rf", remote: undefined });
  expect(path("Odd:Name")).toEqual({ text: "./Odd:Name", remote: undefined });
  expect(path("/abs")).toEqual({ text: "/abs", remote: undefined });
  expect(() => path("wbe:/x")).toThrow(/no sandbox/);
});
