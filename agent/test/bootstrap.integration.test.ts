import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { sshKeyPair } from "@berth/base/node";
import type { BootstrapRequest } from "@berth/protocol";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { idsOf, withHostname } from "../src/bootstrap/machine.ts";
import { type BootstrapMachine, bootstrap } from "../src/bootstrap/steps.ts";
import { rootOf } from "../src/root.ts";
import { endProgram, startProgram, temporaryRoot, until } from "./support/pty-host.ts";

const machineId = "0123456789abcdef0123456789abcdef";
const bootstrapKey = sshKeyPair(Buffer.alloc(32, 1), "bootstrap");
const ownKey = sshKeyPair(Buffer.alloc(32, 2), "own");

const request: BootstrapRequest = {
  hostname: "one",
  hostKey: { privateKey: ownKey.privateKey, publicKey: ownKey.publicKey },
  authorizedKeys: ["ssh-ed25519 AAAA controller", "ssh-ed25519 BBBB person"],
  agent: {
    sandboxId: "sbx_1",
    sandboxName: "one",
    controllerUrl: "wss://127.0.0.1:1",
    controllerCertificate: "PEM",
    secret: "s".repeat(43),
    env: { A: "b" },
  },
};

let root: ReturnType<typeof temporaryRoot>;
/** Stands for sshd and for the container's init: writes a line for each SIGHUP. */
let signalled: ChildProcess;

beforeEach(async () => {
  root = temporaryRoot();
  for (const folder of ["etc/ssh", "etc/berth", "run"]) mkdirSync(join(root.path, folder), { recursive: true });
  writeFileSync(join(root.path, "etc/machine-id"), `${machineId}\n`);
  writeFileSync(join(root.path, "etc/ssh/ssh_host_ed25519_key"), bootstrapKey.privateKey, { mode: 0o600 });
  writeFileSync(join(root.path, "etc/ssh/ssh_host_ed25519_key.pub"), bootstrapKey.publicKey);
  const script = `trap 'echo hup >> ${join(root.path, "hups")}' HUP; echo ready; while :; do sleep 0.05; done`;
  signalled = spawn("/bin/bash", ["-c", script], { stdio: ["ignore", "pipe", "inherit"] });
  await new Promise((resolve) => signalled.stdout?.once("data", resolve));
  for (const name of ["sshd.pid", "init.pid"]) writeFileSync(join(root.path, "run", name), `${signalled.pid}\n`);
});

afterEach(async () => {
  await endProgram(signalled, "SIGKILL");
  root.remove();
});

const read = (path: string) => readFileSync(join(root.path, path), "utf8");

async function run(input: string): Promise<{ code: number | null; output: unknown }> {
  const program = startProgram("bootstrap", root.path);
  const chunks: Buffer[] = [];
  program.stdout?.on("data", (chunk: Buffer) => chunks.push(chunk));
  program.stdin?.end(input);
  const code = await new Promise<number | null>((resolve) => program.once("close", resolve));
  return { code, output: JSON.parse(Buffer.concat(chunks).toString()) };
}

function expectBootstrapped(): void {
  expect(read("etc/hostname")).toBe("one\n");
  expect(read("etc/ssh/berth_authorized_keys")).toBe("ssh-ed25519 AAAA controller\nssh-ed25519 BBBB person\n");
  expect(read("etc/ssh/ssh_host_ed25519_key")).toBe(ownKey.privateKey);
  expect(read("etc/ssh/ssh_host_ed25519_key.pub").trim()).toBe(ownKey.publicKey);
  expect(JSON.parse(read("etc/berth/agent.json"))).toEqual({ ...request.agent, machineId });
  expect(statSync(join(root.path, "etc/berth/agent.json")).mode & 0o777).toBe(0o600);
  expect(statSync(join(root.path, "etc/ssh/ssh_host_ed25519_key")).mode & 0o777).toBe(0o600);
  expect(readdirSync(join(root.path, "etc/ssh")).filter((name) => name.endsWith(".tmp"))).toEqual([]);
}

describe("the bootstrap", () => {
  it("makes the clone the sandbox that is meant, and the same again when repeated", async () => {
    const expected = { machineId, hostKeyFingerprint: ownKey.fingerprint, agentVersion: "0.1.0" };
    expect(await run(JSON.stringify(request))).toEqual({ code: 0, output: expected });
    expectBootstrapped();
    await until(() => existsSync(join(root.path, "hups")));
    expect(await run(JSON.stringify(request))).toEqual({ code: 0, output: expected });
    expectBootstrapped();
  });

  it("may be killed at any instant, and never leaves an agent's configuration beside the bootstrap key", async () => {
    for (let delayMs = 30; delayMs < 400; delayMs += 25) {
      const program = startProgram("bootstrap", root.path);
      program.stdin?.on("error", () => {});
      program.stdin?.end(JSON.stringify(request));
      await sleep(delayMs);
      await endProgram(program, "SIGKILL");
      const key = read("etc/ssh/ssh_host_ed25519_key");
      expect([bootstrapKey.privateKey, ownKey.privateKey]).toContain(key);
      if (existsSync(join(root.path, "etc/berth/agent.json"))) expect(key).toBe(ownKey.privateKey);
    }
    expect((await run(JSON.stringify(request))).code).toBe(0);
    expectBootstrapped();
  });

  it("goes through again after it failed at any step outside files", async () => {
    for (const step of ["setHostname", "reloadSsh", "giveToAgent", "startPrograms"] as const) {
      const broken: BootstrapMachine = { ...idle, [step]: fail };
      await expect(bootstrap(rootOf({ BERTH_ROOT: root.path }), request, broken)).rejects.toThrow("broken");
    }
    expect((await run(JSON.stringify(request))).code).toBe(0);
    expectBootstrapped();
  });

  it("answers a bad request with one line that says so, and changes nothing", async () => {
    const bad = await run(JSON.stringify({ ...request, hostname: 5 }));
    expect(bad).toEqual({ code: 1, output: { error: "the bootstrap request is not valid" } });
    expect((await run("not JSON")).code).toBe(1);
    expect(read("etc/ssh/ssh_host_ed25519_key")).toBe(bootstrapKey.privateKey);
    expect(existsSync(join(root.path, "etc/berth/agent.json"))).toBe(false);
  });
});

describe("the container's own name in /etc/hosts", () => {
  it("is added once, and takes the place of a former one", () => {
    const named = withHostname("127.0.0.1\tlocalhost\n", "one");
    expect(named).toBe("127.0.0.1\tlocalhost\n127.0.1.1\tone\n");
    expect(withHostname(named, "one")).toBe(named);
    expect(withHostname(named, "two")).toBe("127.0.0.1\tlocalhost\n127.0.1.1\ttwo\n");
    expect(withHostname("", "one")).toBe("127.0.1.1\tone\n");
    expect(withHostname("127.0.0.1 localhost", "one")).toBe("127.0.0.1 localhost\n127.0.1.1\tone\n");
  });

  it("is left to whoever has written it, and is not found in a comment or in another name", () => {
    const written = "# --- BEGIN PVE ---\n10.0.0.7 one.lan one\n# --- END PVE ---\n";
    expect(withHostname(written, "one")).toBe(written);
    expect(withHostname("10.0.0.7 one.lan # one\n", "one")).toContain("127.0.1.1\tone\n");
  });
});

describe("the agent's user", () => {
  it("is found in /etc/passwd, where a template may give it any ids", () => {
    const passwd = "root:x:0:0:root:/root:/bin/bash\nberth:x:1000:1001::/home/berth:/bin/bash\n";
    expect(idsOf("berth", passwd)).toEqual({ user: 1000, group: 1001 });
    expect(() => idsOf("bert", passwd)).toThrow("no user bert");
  });
});

const idle: BootstrapMachine = { setHostname: done, reloadSsh: done, giveToAgent: done, startPrograms: done };

async function done(): Promise<void> {}

async function fail(): Promise<void> {
  throw new Error("broken");
}
