import type { ChildProcess } from "node:child_process";
import { existsSync, mkdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { killPtyHost } from "../src/agent/pty-host-watch.ts";
import { ptyHostIdentityName } from "../src/machine.ts";
import { FakeController } from "./support/controller.ts";
import { NotifySocket } from "./support/notify-socket.ts";
import { connectPtyHost, endProgram, startProgram, temporaryRoot, until } from "./support/pty-host.ts";

const systemdNotify = "/usr/bin/systemd-notify";
/** Whoever has processes in place of containers needs no systemd. */
const untested = process.env.BERTH_BACKEND === "process" ? "BERTH_BACKEND=process" : undefined;
const machineId = "0123456789abcdef0123456789abcdef";

let root: ReturnType<typeof temporaryRoot>;
let programs: ChildProcess[];

beforeEach(() => {
  root = temporaryRoot();
  programs = [];
  for (const folder of ["etc/berth", "workspace"]) mkdirSync(join(root.path, folder), { recursive: true });
  writeFileSync(join(root.path, "etc/machine-id"), `${machineId}\n`);
});

afterEach(async () => {
  for (const program of programs.reverse()) await endProgram(program, "SIGKILL");
  root.remove();
});

function start(
  name: "agent" | "pty-host",
  env: Record<string, string> = {},
  starter: readonly string[] = [],
): ChildProcess {
  const program = startProgram(name, root.path, env, starter);
  programs.push(program);
  return program;
}

function writeConfig(controller: FakeController): void {
  const { url: controllerUrl, certificate: controllerCertificate } = controller;
  const own = { sandboxId: "sbx_1", sandboxName: "one", machineId, secret: "s".repeat(43), env: {} };
  const config = { ...own, controllerUrl, controllerCertificate };
  writeFileSync(join(root.path, "etc/berth/agent.json"), JSON.stringify(config));
}

/** What starts a program with the first connection to a socket, and with that as its input, as its unit does. */
function activated(socket: string): string[] {
  const activate = ["systemd-socket-activate", "-l", socket, `-EBERTH_ROOT=${root.path}`];
  return [...activate, "/bin/sh", "-c", 'exec "$@" <&3', "sh"];
}

describe.skipIf(untested !== undefined)(`under systemd (${untested ?? "its words"})`, () => {
  beforeAll(() => {
    if (existsSync(systemdNotify)) return;
    throw new Error(`there is no ${systemdNotify} (BERTH_BACKEND=process leaves these tests out)`);
  });

  let systemd: NotifySocket;
  let controller: FakeController;

  beforeEach(async () => {
    systemd = await NotifySocket.open(join(root.path, "notify.sock"));
    controller = await FakeController.start();
  });

  afterEach(async () => {
    await systemd.close();
    await controller.stop();
  });

  /** A watchdog that wants to hear ten times a second. */
  const environment = () => ({ NOTIFY_SOCKET: systemd.path, WATCHDOG_USEC: "300000" });

  it("the agent is ready without a PTY host, tells of its link, and answers the watchdog until it is stuck", async () => {
    writeConfig(controller);
    const agent = start("agent", environment());
    const link = await controller.link();
    expect(systemd.words).toContain("READY=1");
    await until(() => systemd.words.includes("STATUS=linked with the controller"));
    await until(() => systemd.words.includes("WATCHDOG=1"));
    link.socket.terminate();
    await until(() => systemd.words.some((word) => word.startsWith("STATUS=no link")));
    agent.kill("SIGSTOP");
    const answers = () => systemd.words.filter((word) => word === "WATCHDOG=1").length;
    // What it had sent by then may still be on its way; then the watchdog's whole time passes without an answer.
    let heard = { count: answers(), atMs: performance.now() };
    await until(() => {
      if (answers() !== heard.count) heard = { count: answers(), atMs: performance.now() };
      return performance.now() - heard.atMs > 300;
    });
  });

  it("an agent without a configuration of its own is ready too, and stays silent", async () => {
    start("agent", environment());
    await until(() => systemd.words.includes("WATCHDOG=1"));
    expect(systemd.words).toContain("READY=1");
    expect(systemd.words.find((word) => word.startsWith("STATUS="))).toContain("silent");
  });
});

describe.skipIf(untested !== undefined)(
  `a PTY host's socket that systemd holds (${untested ?? "socket activation"})`,
  () => {
    const folder = () => join(root.path, "run/berth");

    it("starts the host with the first connection, and outlives it", async () => {
      mkdirSync(folder(), { recursive: true });
      const socket = join(folder(), "pty.sock");
      const systemd = start("pty-host", {}, activated(socket));
      await until(() => existsSync(socket));
      const { ino } = statSync(socket);
      expect(existsSync(join(folder(), ptyHostIdentityName))).toBe(false);
      const { link, close } = await connectPtyHost(root.path);
      expect(await link.call("list", {})).toEqual([]);
      expect(existsSync(join(folder(), ptyHostIdentityName))).toBe(true);
      await close();
      await endProgram(systemd);
      expect(statSync(socket).ino).toBe(ino);
    });

    it("goes with the host when another version of it takes over, again and again", async () => {
      mkdirSync(folder(), { recursive: true });
      const socket = join(folder(), "pty.sock");
      const systemd = start("pty-host", {}, activated(socket));
      await until(() => existsSync(socket));
      const { ino } = statSync(socket);
      const { link, close } = await connectPtyHost(root.path);
      const program = { argv: ["/bin/cat"], cwd: "/tmp", env: {}, cols: 80, rows: 24 };
      await link.call("start", { id: "t1", epoch: 1, ...program });
      for (let round = 0; round < 3; round += 1) {
        await link.call("handOver", { program: join(import.meta.dirname, "../src/pty-host/main.ts") });
        await until(() => !link.connected);
        await until(async () => (await link.call("list", {}).catch(() => []))[0]?.state === "running", 20_000);
      }
      expect(statSync(socket).ino).toBe(ino);
      expect(systemd.exitCode).toBe(null);
      await close();
    });
  },
);

describe("a PTY host that is stuck", () => {
  it("can be killed by the agent, even stopped", async () => {
    const host = start("pty-host");
    const { link, close } = await connectPtyHost(root.path);
    await link.call("list", {});
    await close();
    host.kill("SIGSTOP");
    const gone = new Promise((resolve) => host.once("exit", (_code, signal) => resolve(signal)));
    expect(await killPtyHost(join(root.path, "run/berth"))).toBe(true);
    expect(await gone).toBe("SIGKILL");
    expect(await killPtyHost(join(root.path, "run/berth"))).toBe(false);
  });

  it("is none where there never was one, or where its file says nothing", async () => {
    expect(await killPtyHost(root.path)).toBe(false);
    writeFileSync(join(root.path, "pty-host.json"), '{"pid":1}');
    expect(await killPtyHost(root.path)).toBe(false);
  });
});
