import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type BootstrapRequest, bootstrapRequestText, guestPaths } from "@berth/protocol";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  CommandsBetween,
  done,
  layOutClone,
  type Mishap,
  machineId,
  mishaps,
  ownKey,
  request,
  runBootstrap,
  stateOf,
  templateKey,
} from "./support/bootstrap.ts";
import { endProgram, temporaryRoot, until } from "./support/pty-host.ts";

let folder: ReturnType<typeof temporaryRoot>;
let root: string;
let between: CommandsBetween;
/** Stands for sshd and for the container's init: writes a line for each SIGHUP. */
let signalled: ChildProcess;

beforeEach(async () => {
  folder = temporaryRoot();
  // Nothing may depend on what a path looks like.
  root = join(folder.path, "a root's $(folder)");
  between = new CommandsBetween(folder.path);
  layOutClone(root);
  const script = `trap 'echo hup >> "$1"' HUP; echo ready; while :; do sleep 0.05; done`;
  signalled = spawn("/bin/bash", ["-c", script, "bash", join(folder.path, "hups")], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  await new Promise((resolve) => signalled.stdout?.once("data", resolve));
  for (const name of ["sshd.pid", "init.pid"]) writeFileSync(join(root, "run", name), `${signalled.pid}\n`);
});

afterEach(async () => {
  await endProgram(signalled, "SIGKILL");
  folder.remove();
});

const read = (path: string) => readFileSync(join(root, path), "utf8");
const modeOf = (path: string) => statSync(join(root, path)).mode & 0o777;
const text = bootstrapRequestText(request);
/** As controllers wrote it that sent no certificate. */
const older = text.slice(0, text.indexOf("\nend\n") + "\nend\n".length);

/** Runs it in the folder; the command of this number has a mishap. */
const run = (input: string | Uint8Array = text, number = 0, mishap: Mishap = "failed") =>
  runBootstrap(input, { BERTH_ROOT: root, ...between.environment(number, mishap) });

function expectBootstrapped(wanted: BootstrapRequest = request): void {
  expect(read(guestPaths.hostname)).toBe(`${wanted.hostname}\n`);
  expect(read(guestPaths.authorizedKeys)).toBe(wanted.authorizedKeys.map((key) => `${key}\n`).join(""));
  expect(read(guestPaths.sshHostKey)).toBe(ownKey.privateKey);
  expect(read(`${guestPaths.sshHostKey}.pub`)).toBe(`${ownKey.publicKey}\n`);
  expect(read(guestPaths.sshHostCertificate)).toBe(`${wanted.hostCertificate}\n`);
  expect(JSON.parse(read(guestPaths.agentConfig))).toEqual({ ...wanted.agent, machineId });
  for (const path of [guestPaths.agentConfig, guestPaths.sshHostKey]) expect(modeOf(path)).toBe(0o600);
  const open = [guestPaths.authorizedKeys, guestPaths.hostname, guestPaths.sshHostCertificate];
  for (const path of open) expect(modeOf(path)).toBe(0o644);
  const files = readdirSync(join(root, "etc"), { recursive: true, encoding: "utf8" });
  expect(files.filter((name) => name.endsWith(".tmp"))).toEqual([]);
}

/** What holds at any instant: one of the two keys is there, and the agent's configuration beside its own alone. */
function expectSafe(): void {
  const key = read(guestPaths.sshHostKey);
  expect([templateKey.privateKey, ownKey.privateKey]).toContain(key);
  if (key === ownKey.privateKey) expect(read(guestPaths.authorizedKeys)).not.toContain(templateKey.publicKey);
  if (existsSync(join(root, guestPaths.agentConfig))) expect(key).toBe(ownKey.privateKey);
}

describe("the bootstrap", () => {
  it("makes the clone the sandbox that is meant, and tells sshd and init", async () => {
    expect(await run()).toEqual(done);
    expectBootstrapped();
    await until(() => existsSync(join(folder.path, "hups")));
  });

  it("touches nothing when it is repeated, and what differs alone when it is told otherwise", async () => {
    await run();
    const before = stateOf(root);
    expect(await run()).toEqual(done);
    expect(stateOf(root)).toBe(before);
    expect(between.calls).toEqual(["flock"]);
    const other = { ...request, agent: { ...request.agent, secret: "t".repeat(43) } };
    expect(await run(bootstrapRequestText(other))).toEqual(done);
    expectBootstrapped(other);
    expect(between.calls).toEqual(["flock", "sync", "mv", "sync"]);
  });

  it.each(mishaps)("never leaves an agent's configuration beside the bootstrap key, %s any command", async (mishap) => {
    for (let number = 1; ; number += 1) {
      layOutClone(root);
      const ended = await run(text, number, mishap);
      if (between.calls.length < number) {
        expect(number).toBeGreaterThan(8);
        expect(ended).toEqual(done);
        break;
      }
      if (mishap === "failed") expect(ended).toEqual({ code: 1, output: { error: expect.any(String) } });
      else expect(ended).toEqual({ code: null, output: undefined });
      expectSafe();
      expect(await run()).toEqual(done);
      expectBootstrapped();
    }
  });

  it("replaces what one that was killed had only begun to write", async () => {
    for (const path of [guestPaths.sshHostKey, guestPaths.agentConfig, guestPaths.authorizedKeys]) {
      writeFileSync(join(root, `${path}.tmp`), ownKey.privateKey.slice(0, 100), { mode: 0o666 });
    }
    expect(await run()).toEqual(done);
    expectBootstrapped();
    writeFileSync(join(root, `${guestPaths.sshHostKey}.tmp`), ownKey.privateKey.slice(0, 100));
    expect(await run()).toEqual(done);
    expectBootstrapped();
  });

  it("changes nothing before it has the whole request", async () => {
    const before = stateOf(root);
    const lineEnds = [...text.matchAll(/\n/g)].map(({ index }) => index);
    const cuts = [0, ...lineEnds.flatMap((end) => [end - 2, end, end + 1])].filter((end) => {
      // What follows the first end is of its own, and may be missing.
      return end < text.length && end !== older.length && end !== older.length - 1;
    });
    expect(cuts.length).toBeGreaterThan(20);
    for (const end of cuts) {
      const { code, output } = await run(text.slice(0, end));
      expect([code, output]).toEqual([1, { error: expect.stringMatching(/cut short|not valid/) }]);
    }
    expect((await run(text.slice(0, -1))).output).toEqual({ error: "the bootstrap request is cut short" });
    expect(stateOf(root)).toBe(before);
    expect(between.calls).toEqual([]);
  });

  it("takes a request of before certificates came with it, leaves the one that is there, and says so", async () => {
    expect(await run(older)).toEqual({ code: 0, output: { machineId, agentVersion: "1.2.3", hostCertificate: false } });
    expect(existsSync(join(root, guestPaths.sshHostCertificate))).toBe(false);
    expect(await run()).toEqual(done);
    await run(older);
    expectBootstrapped();
  });

  it("refuses what is not a request with one line that says so, and changes nothing", async () => {
    const before = stateOf(root);
    const none: readonly string[] = [
      "not a request",
      JSON.stringify(request),
      text.replace("berth-bootstrap 1", "berth-bootstrap 2"),
      text.replace("\nend\n", "\nmore\nend\n"),
      text.replace("\nhostname one\n", "\n"),
      ...["", "-one", "one-", "a b", "$(touch run/it)", "a;b", "ONE", "a".repeat(64)].map((name) =>
        text.replace("hostname one", `hostname ${name}`),
      ),
      text.replaceAll(/^authorized-key .*\n/gm, ""),
      text.replaceAll(/^host-key .*\n/gm, ""),
      text.replace(/^host-key -----END.*\n/m, ""),
      text.replace(/^host-key-public .*$/m, "host-key-public rsa"),
      text.replace(/^agent .*$/m, "agent []"),
      text.replace(/^host-certificate .*$/m, "more"),
      text.replace(/^host-certificate .*$/m, "host-certificate ssh-ed25519 AAAA"),
      text.replace(/\nend\n$/, "\nhost-certificate x\nend\n"),
    ];
    for (const input of none) {
      const ended = await run(input);
      expect(ended.code).toBe(1);
      expect(ended.output).toEqual({ error: expect.stringMatching(/^the bootstrap request is (not valid|cut short)/) });
    }
    expect(stateOf(root)).toBe(before);
  });

  it("takes every value as it is, whatever a shell could read into it", async () => {
    const values = [
      "$(id)",
      "`id`",
      "a\\n\\\\b",
      "' \" *",
      "a\nb\tc\u007f\u2028",
      "é 日本 😀 \u0081\u0088",
      " -n  ",
      "%s%d",
    ];
    const comments = values.filter((value) => !/[\r\n]/.test(value));
    const hostile = {
      ...request,
      authorizedKeys: comments.map((comment) => `ssh-ed25519 AAAA ${comment}`),
      agent: { ...request.agent, env: Object.fromEntries(values.map((value, index) => [`V${index}`, value])) },
    };
    expect(await run(bootstrapRequestText(hostile))).toEqual(done);
    expectBootstrapped(hostile);
  });

  it("is harmless several times at once", async () => {
    const secrets = Array.from({ length: 6 }, (_, index) => String(index).repeat(43));
    const env = { BERTH_ROOT: root, ...between.environment() };
    const requests = secrets.map((secret) => ({ ...request, agent: { ...request.agent, secret } }));
    const ended = await Promise.all(requests.map((one) => runBootstrap(bootstrapRequestText(one), env)));
    expect(ended).toEqual(requests.map(() => done));
    const { secret } = JSON.parse(read(guestPaths.agentConfig));
    expect(secrets).toContain(secret);
    expectBootstrapped({ ...request, agent: { ...request.agent, secret } });
  });

  it("changes nothing in a container that has no machine-id or no agent, and says so", async () => {
    for (const id of ["", "uninitialized\n", `${machineId}0\n`, machineId.toUpperCase()]) {
      writeFileSync(join(root, guestPaths.machineId), id);
      expect((await run()).output).toEqual({ error: "the container has no machine-id yet" });
    }
    writeFileSync(join(root, guestPaths.machineId), machineId);
    writeFileSync(join(root, guestPaths.programs, "version"), "");
    expect((await run()).output).toEqual({ error: "the container has no agent" });
    expect(read(guestPaths.sshHostKey)).toBe(templateKey.privateKey);
    expect(read(guestPaths.hostname)).toBe("template\n");
    expect(existsSync(join(root, guestPaths.agentConfig))).toBe(false);
  });

  it("says that the container's init does not run, and goes through once it does", async () => {
    writeFileSync(join(root, "run/init.pid"), "1\n");
    expect((await run()).output).toEqual({ error: "the container's init process is not running" });
    writeFileSync(join(root, "run/init.pid"), `${signalled.pid}\n`);
    expect(await run()).toEqual(done);
    expectBootstrapped();
  });
});
