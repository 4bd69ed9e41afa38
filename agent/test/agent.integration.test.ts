import type { ChildProcess } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { userInfo } from "node:os";
import { join } from "node:path";
import { type AgentConfig, attachLimits } from "@berth/protocol";
import { terminalChannelKind } from "@berth/protocol/link";
import { claudeExecutable, startMessagesStub } from "@berth/testkit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type AgentLink, FakeController } from "./support/controller.ts";
import { endProgram, startProgram, TestViewer, temporaryRoot, until } from "./support/pty-host.ts";
import { readRecording, recordingOf } from "./support/recorded.ts";

const machineId = "0123456789abcdef0123456789abcdef";
const conversationId = "11111111-1111-4111-8111-111111111111";
const forkId = "22222222-2222-4222-8222-222222222222";
const secret = "s".repeat(43);
const size = { cols: 100, rows: 30 };

let root: ReturnType<typeof temporaryRoot>;
let controller: FakeController;
let programs: ChildProcess[];

beforeEach(async () => {
  root = temporaryRoot();
  controller = await FakeController.start();
  programs = [];
  for (const folder of ["etc/berth", "usr/bin", "workspace"]) mkdirSync(join(root.path, folder), { recursive: true });
  writeFileSync(join(root.path, "etc/machine-id"), `${machineId}\n`);
  writeConfig({});
});

afterEach(async () => {
  for (const program of programs.reverse()) await endProgram(program);
  await controller.stop();
  root.remove();
});

function writeConfig(changes: Partial<AgentConfig>): void {
  const config: AgentConfig = {
    sandboxId: "sbx_1",
    sandboxName: "one",
    machineId,
    controllerUrl: controller.url,
    controllerCertificate: controller.certificate,
    secret,
    env: {},
    ...changes,
  };
  writeFileSync(join(root.path, "etc/berth/agent.json"), JSON.stringify(config));
}

function start(name: "agent" | "pty-host"): ChildProcess {
  const program = startProgram(name, root.path);
  programs.push(program);
  return program;
}

function installClaude(script: string): void {
  const path = join(root.path, "usr/bin/claude");
  writeFileSync(path, `#!/bin/bash\n${script}\n`);
  chmodSync(path, 0o755);
}

const home = () => join(root.path, "home", userInfo().username);
const screenOf = async (link: AgentLink, id: string) => (await link.peer.call("screen", { id })).text;

function view(link: AgentLink, terminalId: string, offset = 0): TestViewer {
  const params = { terminalId, scrollbackLines: attachLimits.defaultScrollbackLines, readOnly: false };
  return new TestViewer(link.multiplexer.open(terminalChannelKind, { ...params, from: { epoch: 1, offset } }));
}

describe("the agent", () => {
  it("says hello with its secret, keeps the environment it is given, and runs what it is told", async () => {
    controller.env = { GREETING: "hello from the owner" };
    start("pty-host");
    start("agent");
    const link = await controller.link();
    expect(controller.authorizations).toEqual([`Bearer sbx_1:${secret}`]);
    expect(link.hello).toMatchObject({ linkVersion: 1, machineId, terminals: [] });
    const argv = ["bash", "-c", 'echo "$GREETING $BERTH_SANDBOX $PWD $MINE"; env; read -r x'];
    const asked = { id: "t1", kind: "exec" as const, argv, env: { MINE: "mine" }, ...size };
    const status = await link.peer.call("ensureTerminal", asked);
    expect(status).toMatchObject({ id: "t1", state: "running", epoch: 1, ...size });
    expect(await link.peer.call("ensureTerminal", asked)).toMatchObject({ epoch: 1 });
    const viewer = view(link, "t1");
    await until(() => viewer.text.includes("TERM="));
    expect(viewer.text).toContain(`hello from the owner one ${join(root.path, "workspace")} mine`);
    expect(viewer.text).not.toContain(secret);
    expect(JSON.parse(readFileSync(join(root.path, "etc/berth/agent.json"), "utf8")).env).toEqual(controller.env);
    await link.peer.call("input", { id: "t1", text: "done", submit: true });
    await until(() => viewer.closed !== undefined);
    await until(() => controller.events.some((event) => event.id === "t1" && event.state === "exited"));
    await link.peer.call("removeTerminal", { id: "t1" });
    expect(await link.peer.call("listTerminals", {})).toEqual([]);
  });

  it("needs no PTY host before the first terminal, waits for it then, and finds it again when it starts anew", async () => {
    const first = start("agent");
    const link = await controller.link();
    expect(link.hello.terminals).toEqual([]);
    expect(await link.peer.call("listTerminals", {})).toEqual([]);
    expect(await link.peer.call("removeTerminal", { id: "t1" })).toBe(null);
    await expect(link.peer.call("screen", { id: "t1" })).rejects.toMatchObject({ code: "not_found" });
    const early = view(link, "t1");
    await until(() => early.closed !== undefined);
    expect(early.closed?.code).toBe("not_found");
    const made = link.peer.call("ensureTerminal", { id: "t1", kind: "shell", ...size });
    const late = view(link, "t1");
    await until(() => late.closed !== undefined);
    expect(late.closed?.code).toBe("pty_host_unavailable");
    start("pty-host");
    expect(await made).toMatchObject({ id: "t1", state: "running", epoch: 1 });
    await endProgram(first);
    start("agent");
    expect((await controller.link(2)).hello.terminals).toMatchObject([{ id: "t1", state: "running" }]);
  });

  it("says hello only with the PTY host where terminals are known, and without it once they are all removed", async () => {
    const host = start("pty-host");
    const agent = start("agent");
    const link = await controller.link();
    await link.peer.call("ensureTerminal", { id: "t1", kind: "shell", ...size });
    await endProgram(agent);
    await endProgram(host);
    // As if the registry were lost: the terminal's folder alone tells of it.
    rmSync(join(root.path, "var/lib/berth/agent"), { recursive: true });
    const second = start("agent");
    const logged: string[] = [];
    second.stderr?.on("data", (chunk) => logged.push(String(chunk)));
    await until(() => logged.join("").includes("the PTY host cannot be reached"));
    expect(controller.authorizations).toHaveLength(1);
    const again = start("pty-host");
    const known = await controller.link(2);
    expect(known.hello.terminals).toMatchObject([{ id: "t1", state: "exited" }]);
    await known.peer.call("removeTerminal", { id: "t1" });
    await endProgram(second);
    await endProgram(again);
    start("agent");
    expect((await controller.link(3)).hello.terminals).toEqual([]);
  });

  it("loses no byte of a terminal when it is killed while the terminal streams", async () => {
    start("pty-host");
    const agent = start("agent");
    const first = await controller.link();
    const argv = ["bash", "-c", "stty raw; for i in $(seq 1 40000); do echo line $i; done; read -r x"];
    await first.peer.call("ensureTerminal", { id: "t1", kind: "exec", argv, ...size });
    const before = view(first, "t1");
    await until(() => before.offset > 10_000);
    await endProgram(agent, "SIGKILL");
    start("agent");
    const second = await controller.link(2);
    expect(second.hello.terminals).toMatchObject([{ id: "t1", state: "running", epoch: 1 }]);
    const after = view(second, "t1", before.offset);
    const expected = Array.from({ length: 40_000 }, (_, index) => `line ${index + 1}\n`).join("");
    await until(() => after.offset === expected.length, 20_000);
    expect(after.attached?.mode).toBe("exact");
    const hash = (bytes: string | Buffer) => createHash("sha256").update(bytes).digest("hex");
    expect(hash(Buffer.concat([before.output, after.output]))).toBe(hash(expected));
  });

  it("comes back when the controller does, and closes viewers whose PTY host has gone", async () => {
    const host = start("pty-host");
    start("agent");
    const first = await controller.link();
    first.socket.terminate();
    const second = await controller.link(2);
    await second.peer.call("ensureTerminal", { id: "t1", kind: "shell", ...size });
    const viewer = view(second, "t1");
    await until(() => viewer.attached !== undefined);
    await endProgram(host, "SIGKILL");
    await until(() => viewer.closed !== undefined);
    expect(viewer.closed?.code).toBe("pty_host_unavailable");
    start("pty-host");
    await until(() => controller.events.some((event) => event.id === "t1" && event.lost));
  });

  it("passes recordings on, and the controller's word that there are to be none", async () => {
    start("pty-host");
    start("agent");
    const link = await controller.link();
    const argv = ["bash", "-c", "printf shown; read -r x"];
    await link.peer.call("ensureTerminal", { id: "t1", kind: "exec", argv, ...size });
    await until(async () => (await screenOf(link, "t1")) === "shown");
    const open = (from: AgentLink) => ({ open: from.multiplexer.open.bind(from.multiplexer) });
    expect((await recordingOf(open(link), "t1")).output).toBe("shown");
    controller.recording = false;
    link.socket.terminate();
    const again = await controller.link(2);
    await until(async () => (await readRecording(open(again), "t1")).closed.code === "not_found");
    await until(() => !readdirSync(join(root.path, "var/lib/berth/terminals/t1")).join().includes(".times"));
  });

  it("resumes a conversation that was lost with its PTY host, once, under the same terminal", async () => {
    installClaude('echo "claude $*" >> "$HOME/starts"; echo "claude $*"; read -r x');
    writeConfig({ env: { ANTHROPIC_AUTH_TOKEN: "token" } });
    controller.env = { ANTHROPIC_AUTH_TOKEN: "token" };
    const host = start("pty-host");
    const agent = start("agent");
    const link = await controller.link();
    await link.peer.call("ensureTerminal", { id: "c1", kind: "claude", conversationId, ...size });
    await until(async () => (await screenOf(link, "c1")).includes(`--session-id ${conversationId}`));
    const project = join(home(), ".claude/projects/-workspace");
    mkdirSync(project, { recursive: true });
    writeFileSync(join(project, `${conversationId}.jsonl`), "{}\n");
    await endProgram(host, "SIGKILL");
    await endProgram(agent, "SIGKILL");
    start("agent");
    start("pty-host");
    const again = await controller.link(2);
    await until(async () => (await screenOf(again, "c1")).includes(`--resume ${conversationId}`));
    expect(await again.peer.call("listTerminals", {})).toMatchObject([{ id: "c1", epoch: 2, state: "running" }]);
    expect(readFileSync(join(home(), "starts"), "utf8").trim().split("\n")).toHaveLength(2);
  });

  it("takes the terminals of another sandbox away where it is a copy of that, and forks its conversations", async () => {
    installClaude('echo "claude $*" >> "$HOME/starts"; echo "claude $*"; read -r x');
    writeConfig({ env: { ANTHROPIC_AUTH_TOKEN: "token" } });
    controller.env = { ANTHROPIC_AUTH_TOKEN: "token" };
    const [host, agent] = [start("pty-host"), start("agent")];
    const link = await controller.link();
    await link.peer.call("ensureTerminal", { id: "c1", kind: "claude", conversationId, ...size });
    await until(async () => (await screenOf(link, "c1")).includes(`--session-id ${conversationId}`));
    const project = join(home(), ".claude/projects/-workspace");
    mkdirSync(project, { recursive: true });
    writeFileSync(join(project, `${conversationId}.jsonl`), "{}\n");
    await endProgram(host, "SIGKILL");
    await endProgram(agent, "SIGKILL");
    writeConfig({ sandboxId: "sbx_2", env: { ANTHROPIC_AUTH_TOKEN: "token" } });
    start("agent");
    start("pty-host");

    const copy = await controller.link(2);
    expect(await copy.peer.call("listTerminals", {})).toEqual([]);
    expect(existsSync(join(root.path, "var/lib/berth/terminals/c1"))).toBe(false);
    const forked = { id: "c2", kind: "claude", conversationId: forkId, forkOf: conversationId, ...size } as const;
    await copy.peer.call("ensureTerminal", forked);
    const command = `claude --resume ${conversationId} --fork-session --session-id ${forkId}`;
    await until(async () => (await screenOf(copy, "c2")).includes(command.slice(0, size.cols - 1)));
    writeFileSync(join(project, `${forkId}.jsonl`), "{}\n");
    await copy.peer.call("ensureTerminal", { ...forked, minEpoch: 4 });
    expect(await copy.peer.call("listTerminals", {})).toMatchObject([{ id: "c2", epoch: 4, state: "running" }]);
    await until(async () => (await screenOf(copy, "c2")).includes(`claude --resume ${forkId}`));
    const starts = readFileSync(join(home(), "starts"), "utf8").trim().split("\n");
    const ofConversations = starts.map((start) => start.replace(/ --settings \S+$/, ""));
    expect(ofConversations).toEqual([`claude --session-id ${conversationId}`, command, `claude --resume ${forkId}`]);
  });

  it("stays silent in a copy of its container", async () => {
    writeFileSync(join(root.path, "etc/machine-id"), `${"f".repeat(32)}\n`);
    const agent = start("agent");
    const logged: string[] = [];
    agent.stderr?.on("data", (chunk) => logged.push(String(chunk)));
    await until(() => logged.join("").includes("stays silent"));
    expect(controller.authorizations).toEqual([]);
    // Bootstrapped anew, it ends for its supervisor to start it again.
    writeFileSync(join(root.path, "etc/machine-id"), `${machineId}\n`);
    writeConfig({ sandboxName: "two" });
    await until(() => agent.exitCode === 0);
  });

  it("tells its secret to no server but the pinned one, and is not refused twice in a row", async () => {
    const other = await FakeController.start();
    writeConfig({ controllerCertificate: other.certificate });
    start("pty-host");
    const agent = start("agent");
    const logged: string[] = [];
    agent.stderr?.on("data", (chunk) => logged.push(String(chunk)));
    await until(() => logged.join("").includes("no link to the controller"));
    expect(controller.authorizations).toEqual([]);
    await other.stop();
    await endProgram(agent);
    controller.refuses = true;
    writeConfig({});
    const refused = start("agent");
    refused.stderr?.on("data", (chunk) => logged.push(String(chunk)));
    await until(() => logged.join("").includes("answered 401"));
    expect(controller.authorizations).toHaveLength(1);
    expect(logged.join("")).not.toContain(secret);
  });
});

describe("the real Claude CLI", () => {
  it("shows its prompt, answers what is typed, and goes on with the conversation after its PTY host was killed", async () => {
    const stub = await startMessagesStub();
    try {
      symlinkSync(claudeExecutable(), join(root.path, "usr/bin/claude"));
      writeConfig({ env: stub.environment });
      controller.env = stub.environment;
      const host = start("pty-host");
      start("agent");
      const link = await controller.link();
      await link.peer.call("ensureTerminal", { id: "c1", kind: "claude", conversationId, ...size });
      await until(async () => (await screenOf(link, "c1")).includes("❯"), 20_000);
      await link.peer.call("input", { id: "c1", text: "two lines:\nsay the magic word", submit: true });
      await until(async () => /●.*the magic word/.test(await screenOf(link, "c1")), 20_000);
      expect(existsSync(join(home(), ".claude.json"))).toBe(true);
      const viewer = view(link, "c1");
      await until(() => viewer.attached !== undefined);
      await endProgram(host, "SIGKILL");
      await until(() => viewer.closed !== undefined);
      start("pty-host");
      await until(() => controller.events.some((event) => event.epoch === 2 && event.state === "running"), 20_000);
      await until(async () => /●.*the magic word/.test(await screenOf(link, "c1")), 20_000);
    } finally {
      await stub.dispose();
    }
  });

  it("opens with its login where there is no credential", async () => {
    symlinkSync(claudeExecutable(), join(root.path, "usr/bin/claude"));
    start("pty-host");
    start("agent");
    const link = await controller.link();
    await link.peer.call("ensureTerminal", { id: "c1", kind: "claude", conversationId, ...size });
    await until(async () => (await screenOf(link, "c1")).includes("Select login method"), 20_000);
  });
});
