import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { systemClock } from "@berth/base";
import { makePrivateDirectory } from "@berth/base/node";
import type { AgentConfig, Environment, TerminalStatus } from "@berth/protocol";
import {
  type Channel,
  fileWriteChannelKind,
  programsChannelKind,
  recordingChannelKind,
  relay,
  screenWaitChannelKind,
  terminalChannelKind,
  workspaceChannelKind,
} from "@berth/protocol/link";
import { checkAnswer, checkArgument } from "../check.ts";
import { createLog, errorText } from "../log.ts";
import { bootId } from "../machine.ts";
import { guestPath, nameProcess, type Root, rootOf } from "../root.ts";
import { type ServiceManager, serviceManager } from "../service-manager.ts";
import { agentVersion } from "../version.ts";
import { SandboxUse } from "./attention/use.ts";
import { sessionsFolder } from "./claude.ts";
import { findConfig, watchConfig, writeConfig } from "./config.ts";
import { ControllerLink } from "./controller-link.ts";
import { isControllerThere } from "./controller-socket.ts";
import { reviewEnvironment } from "./environment.ts";
import { FileWrites } from "./files/file-writes.ts";
import { installGitRemote } from "./git-remote/install.ts";
import { gitRemoteArgument, runGitRemote } from "./git-remote/program.ts";
import { GitRemoteSocket } from "./git-remote/socket.ts";
import { AgentPrograms } from "./programs/programs.ts";
import { PtyHostLink } from "./pty-host-link.ts";
import { killPtyHost, watchPtyHost } from "./pty-host-watch.ts";
import { RecordingSwitch } from "./recording-switch.ts";
import { TerminalRegistry } from "./registry.ts";
import { Terminals } from "./terminals.ts";
import { Workspace } from "./workspace/workspace.ts";

const log = createLog("agent");

async function main(): Promise<void> {
  if (process.argv[2] === checkArgument) {
    process.stdout.write(`${checkAnswer.agent(agentVersion())}\n`);
    return;
  }
  if (process.argv[2] === gitRemoteArgument) {
    // Git, which waits for its end, holds its input open meanwhile.
    process.exit(await runGitRemote(process.argv.slice(3), process));
  }
  const root = rootOf(process.env);
  nameProcess(root, "berth-agent");
  const manager = serviceManager(process.env, { clock: systemClock, log });
  const found = await findConfig(root);
  const ended = new AbortController();
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => ended.abort());
  // A bootstrap wrote another configuration: the supervisor starts the agent again with it.
  const watch = watchConfig(root, found, () => ended.abort());
  if (found.kind === "own") await runAgent({ root, ...found, manager, signal: ended.signal, end: () => ended.abort() });
  else await staySilent(found.kind, manager, ended.signal);
  manager.tell({ STOPPING: "1" });
  watch.stop();
}

/** In a copy of a sandbox, or before its bootstrap. It stays, since a supervisor would start it again and again. */
async function staySilent(configuration: string, manager: ServiceManager, signal: AbortSignal): Promise<void> {
  log.info("no configuration of this machine's: the agent stays silent", { configuration });
  manager.tell({ READY: "1", STATUS: "silent: no configuration of this machine's" });
  let looks = 0;
  const stopAnswering = manager.keepAlive(() => ++looks);
  if (!signal.aborted) await new Promise((resolve) => signal.addEventListener("abort", resolve));
  stopAnswering();
}

interface AgentSurroundings {
  readonly root: Root;
  readonly config: AgentConfig;
  readonly machineId: string;
  readonly manager: ServiceManager;
  readonly signal: AbortSignal;
  /** Ends this agent for its supervisor to start it anew. */
  end(): void;
}

async function runAgent({ root, config, machineId, manager, signal, end }: AgentSurroundings): Promise<void> {
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
  const registry = new TerminalRegistry(root, config.sandboxId);
  await registry.load();
  const ptyHost = new PtyHostLink({
    path: "pty.sock",
    clock: systemClock,
    log,
    onTerminal: (status) => {
      controller.tellTerminal(use.present(status));
      use.noteTerminal(status);
    },
  });
  const use: SandboxUse = new SandboxUse({
    root,
    terminalIds: () => registry.ids,
    sessionsFolder: () => sessionsFolder(root.home, current.env),
    onAttention: (ids) => void tellTerminals(ids).catch(() => {}),
    onActivity: (activity) => controller.tellActivity(activity),
    clock: systemClock,
    log,
  });
  const { hooksFolder } = use;
  const present = (status: TerminalStatus) => use.present(status);
  const tellTerminals = async (ids?: readonly string[]) => {
    const statuses = await ptyHost.call("list", {});
    for (const status of statuses) if (!ids || ids.includes(status.id)) controller.tellTerminal(present(status));
  };
  const programs = await AgentPrograms.load({
    folder: guestPath(root, "updates"),
    version: agentVersion(),
    ptyHostProgram: ptyHostProgram(),
    ptyHost,
    isControllerThere: () => isControllerThere(current),
    clock: systemClock,
    log,
    restart: end,
  });
  const recordingSwitch = new RecordingSwitch(ptyHost, log);
  const terminals = new Terminals({ root, ptyHost, registry, log, hooksFolder, present, config: () => current });
  const fileWrites = new FileWrites({ workspace: guestPath(root, "workspace"), log });
  const workspace = new Workspace({
    path: guestPath(root, "workspace"),
    environment: () => reviewEnvironment(root, current.env),
    log,
  });
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
      input: async (params) => {
        const position = await terminals.handlers.input(params);
        use.noteInput();
        return position;
      },
      activity: ({ again }) => use.fresh(again),
    },
    hello: async () => ({
      agentVersion: agentVersion(),
      ...(programs.failedUpdate === undefined ? {} : { failedUpdate: programs.failedUpdate }),
      bootId: await bootId(root),
      machineId,
      terminals: await terminals.list(),
      activity: use.current,
    }),
    onWelcome: async ({ env, recording }) => {
      if (recording !== undefined) recordingSwitch.wish(recording);
      await replaceEnvironment(env);
    },
    onOpen: (channel, kind, params) => {
      if (kind === fileWriteChannelKind) fileWrites.open(channel, params);
      else if (kind === workspaceChannelKind) workspace.open(channel, params);
      else if (kind === programsChannelKind) programs.open(channel, params);
      else openChannel(ptyHost, channel, kind, params);
    },
    onLink: (linked) => {
      manager.tell({ STATUS: linked ? linkedStatus : unlinkedStatus });
      programs.onLink(linked);
    },
  });

  const gitRemote = new GitRemoteSocket({ log, open: (kind, params) => controller.openChannel(kind, params) });
  await serveGitRemote(gitRemote, root);

  const serving = ptyHost.run(async () => {
    recordingSwitch.tell();
    await terminals.dropForeign();
    await terminals.resumeLost();
    await tellTerminals();
    programs.onPtyHost();
  }, signal);
  const ask = async () => {
    if (ptyHost.wanted) use.noteTerminals(await ptyHost.call("list", {}));
  };
  const watching = watchPtyHost({ ask, kill: () => killPtyHost(run), clock: systemClock, log }, signal);
  // Without the PTY host of the terminals that there are, the agent would tell the controller that there are none.
  if (await terminals.areKnown()) await ptyHost.want();
  else await terminals.dropForeign();
  if (!signal.aborted) manager.tell({ READY: "1", STATUS: firstStatus });
  const stopAnswering = manager.keepAlive(() => controller.turns);
  await Promise.all([serving, watching, controller.run(signal), programs.run(signal), use.run(signal)]);
  await gitRemote.close();
  stopAnswering();
}

/** A full disk, say, keeps git from its remote; it keeps nothing else from working. */
async function serveGitRemote(gitRemote: GitRemoteSocket, root: Root): Promise<void> {
  try {
    await gitRemote.listen();
    await installGitRemote(root, fileURLToPath(import.meta.url));
  } catch (error) {
    log.error("git in the sandbox cannot reach the remote of its project", { reason: errorText(error) });
  }
}

/** The program beside this one: a bundle beside a bundle, a source beside a source. */
function ptyHostProgram(): string {
  const bundle = fileURLToPath(new URL("./pty-host.mjs", import.meta.url));
  return existsSync(bundle) ? bundle : fileURLToPath(new URL("../pty-host/main.ts", import.meta.url));
}

const firstStatus = "links with the controller";
const linkedStatus = "linked with the controller";
const unlinkedStatus = "no link with the controller; it is tried again and again";

const channelKinds: ReadonlySet<string> = new Set([terminalChannelKind, screenWaitChannelKind, recordingChannelKind]);

/**
 * Joins a channel to the PTY host, which checks the parameters. While no host was wanted there is no terminal; one that
 * is just starting is found by the caller's next attempt.
 */
function openChannel(ptyHost: PtyHostLink, channel: Channel, kind: string, params: unknown): void {
  if (!channelKinds.has(kind)) {
    channel.close({ code: "invalid_request", detail: "no such kind of channel" });
    return;
  }
  const inner = ptyHost.open(kind, params);
  if (inner) relay(channel, inner);
  else if (!ptyHost.wanted) channel.close({ code: "not_found", detail: "there is no such terminal" });
  else channel.close({ code: "pty_host_unavailable", detail: "the PTY host is not running" });
}

main().catch((error: unknown) => {
  log.error("the agent could not go on", { reason: errorText(error) });
  process.exit(1);
});
