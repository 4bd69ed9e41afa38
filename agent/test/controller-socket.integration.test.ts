import { type ChildProcess, spawn } from "node:child_process";
import { connect, createServer } from "node:net";
import type { AgentConfig } from "@berth/protocol";
import { afterEach, describe, expect, it } from "vitest";
import { dialController, isControllerThere } from "../src/agent/controller-socket.ts";
import { FakeController } from "./support/controller.ts";
import { endProgram } from "./support/pty-host.ts";

/** Takes no connection that the kernel made, so that the kernel drops the packets of those after the first. */
const deafListener = `use Socket; $| = 1;
  socket(S, PF_INET, SOCK_STREAM, 0) && bind(S, sockaddr_in(0, INADDR_LOOPBACK)) && listen(S, 0) or die $!;
  print +(sockaddr_in(getsockname(S)))[0], "\\n"; sleep 3600`;

let releases: (() => unknown)[] = [];

afterEach(async () => {
  for (const release of releases.reverse()) await release();
  releases = [];
});

async function config(controllerUrl: string): Promise<AgentConfig> {
  const controller = await FakeController.start();
  releases.push(() => controller.stop());
  const own = { sandboxId: "sbx_1", sandboxName: "one", machineId: "0".repeat(32), secret: "s".repeat(43), env: {} };
  return { ...own, controllerUrl, controllerCertificate: controller.certificate };
}

/** The port of an address that drops every packet but those of its first connection. */
async function deafPort(): Promise<number> {
  const listener: ChildProcess = spawn("perl", ["-e", deafListener], { stdio: ["ignore", "pipe", "inherit"] });
  releases.push(() => endProgram(listener, "SIGKILL"));
  const port = Number(
    await new Promise<string>((resolve) => listener.stdout?.once("data", (text) => resolve(`${text}`))),
  );
  const first = connect(port, "127.0.0.1");
  releases.push(() => first.destroy());
  await new Promise((resolve) => first.once("connect", resolve));
  return port;
}

describe("dialling the controller", () => {
  it("gives up an address that does not answer in less time than the link may take to come back", async () => {
    const unanswered = await config(`wss://127.0.0.1:${await deafPort()}`);
    const before = performance.now();
    const dialled = dialController(unanswered, new AbortController().signal);
    await expect(dialled).rejects.toThrow("the controller's address does not answer");
    expect(performance.now() - before).toBeLessThan(4500);
  });

  it("ends at once when it is aborted", async () => {
    const unanswered = await config(`wss://127.0.0.1:${await deafPort()}`);
    const ended = new AbortController();
    const dialled = dialController(unanswered, ended.signal);
    ended.abort();
    await expect(dialled).rejects.toThrow();
  });
});

describe("looking whether the controller is there", () => {
  async function ownConfig(): Promise<{ controller: FakeController; own: AgentConfig }> {
    const controller = await FakeController.start();
    releases.push(() => controller.stop());
    return { controller, own: { ...(await config(controller.url)), controllerCertificate: controller.certificate } };
  }

  it("finds it by its certificate alone, and says nothing to it", async () => {
    const { controller, own } = await ownConfig();
    expect(await isControllerThere(own)).toBe(true);
    expect(controller.authorizations).toEqual([]);
  });

  it("finds nobody where nobody listens, where no name leads, and behind what takes connections for it", async () => {
    const { controller, own } = await ownConfig();
    const { url } = controller;
    await controller.leave();
    expect(await isControllerThere(own)).toBe(false);
    expect(await isControllerThere({ ...own, controllerUrl: "wss://nowhere.invalid:7401" })).toBe(false);
    const proxy = createServer((socket) => socket.destroy());
    await new Promise<void>((resolve) => proxy.listen(Number(new URL(url).port), "127.0.0.1", resolve));
    releases.push(() => new Promise((resolve) => proxy.close(resolve)));
    expect(await isControllerThere(own)).toBe(false);
  });

  it("does not take another for it", async () => {
    const { own } = await ownConfig();
    const { controller: other } = await ownConfig();
    expect(await isControllerThere({ ...own, controllerUrl: other.url })).toBe(false);
  });
});
