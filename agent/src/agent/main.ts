import { systemClock } from "@berth/base";
import { makePrivateDirectory } from "@berth/base/node";
import type { AgentConfig, Environment } from "@berth/protocol";
import { type Channel, relay, terminalChannelKind } from "@berth/protocol/link";
import { createLog, errorText } from "../log.ts";
import { bootId } from "../machine.ts";
import { guestPath, type Root, rootOf } from "../root.ts";
import { agentVersion } from "../version.ts";
import { findConfig, watchConfig, writeConfig } from "./config.ts";
import { ControllerLink } from "./controller-link.ts";
import { PtyHostLink } from "./pty-host-link.ts";
import { TerminalRegistry } from "./registry.ts";
import { Terminals } from "./terminals.ts";

const log = createLog("agent");

async function main(): Promise<void> {
  const root = rootOf(process.env);
  const found = await findConfig(root);
  const ended = new AbortController();
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => ended.abort());
  // A bootstrap wrote another configuration: the supervisor starts the agent again with it.
  const watch = watchConfig(root, found, () => ended.abort());
  if (found.kind === "own") await runAgent(root, found.config, found.machineId, ended.signal);
  else {
    // It stays, since a supervisor would start it again and again.
    log.info("no configuration of this machine's: the agent stays silent", { configuration: found.kind });
    await new Promise((resolve) => ended.signal.addEventListener("abort", resolve));
  }
  watch.stop();
}

async function runAgent(root: Root, config: AgentConfig, machineId: string, signal: AbortSignal): Promise<void> {
  let current = config;
  const run = guestPath(root, "run");
  await makePrivateDirectory(run);
  // The socket is named relative to its folder: a path to it may be too long.
  process.chdir(run);
  const replaceEnvironment = async (env: Environment) => {
    if (JSON.stringify(env) === JSON.stringify(current.env)) return;
    current = { ...current, env };
    await writeConfig(root, current);
  };
  const registry = new TerminalRegistry(root);
  await registry.load();
  const ptyHost = new PtyHostLink({
    path: "pty.sock",
    clock: systemClock,
    log,
    onTerminal: (status) => controller.tellTerminal(status),
  });
  const terminals = new Terminals({ root, ptyHost, registry, log, config: () => current });
  const controller = new ControllerLink({
    config: () => current,
    clock: systemClock,
    log,
    handlers: {
      ...terminals.handlers,
      setEnvironment: async ({ env }) => {
        await replaceEnvironment(env);
        return null;
      },
    },
    hello: async () => ({
      agentVersion,
      bootId: await bootId(root),
      machineId,
      terminals: await ptyHost.call("list", {}),
    }),
    onWelcome: ({ env }) => replaceEnvironment(env),
    onOpen: (channel, kind, params) => openChannel(ptyHost, channel, kind, params),
  });

  const ready = Promise.withResolvers<void>();
  const serving = ptyHost.run(async () => {
    await terminals.resumeLost();
    ready.resolve();
    for (const status of await ptyHost.call("list", {})) controller.tellTerminal(status);
  }, signal);
  signal.addEventListener("abort", () => ready.resolve(), { once: true });
  // Without its PTY host the agent would tell the controller that there are no terminals.
  await ready.promise;
  await Promise.all([serving, controller.run(signal)]);
}

/** Joins a viewer's channel to the PTY host, which checks the parameters. */
function openChannel(ptyHost: PtyHostLink, channel: Channel, kind: string, params: unknown): void {
  if (kind !== terminalChannelKind) {
    channel.close({ code: "invalid_request", detail: "no such kind of channel" });
    return;
  }
  const inner = ptyHost.open(kind, params);
  if (inner) relay(channel, inner);
  else channel.close({ code: "pty_host_unavailable", detail: "the PTY host is not running" });
}

main().catch((error: unknown) => {
  log.error("the agent could not go on", { reason: errorText(error) });
  process.exit(1);
});
