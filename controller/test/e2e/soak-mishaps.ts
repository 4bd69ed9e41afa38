import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { guestPaths, parseJson, type Sandbox } from "@berth/protocol";
import { eventually } from "@berth/testkit";
import type { Random } from "@berth/testkit/random";
import Type from "typebox";
import { Value } from "typebox/value";
import type { Berth } from "./berth.ts";
import type { FaultyRelay } from "./faulty-relay.ts";
import { killProgram, pidOf } from "./sandbox-programs.ts";

/** What a mishap can befall. */
export interface MishapScene {
  readonly berth: Berth;
  readonly sandbox: Sandbox;
  readonly random: Random;
  /** Between viewers and the controller. */
  readonly viewersNetwork: FaultyRelay;
  /** Between the agent and the controller. */
  readonly agentNetwork: FaultyRelay;
  /** Between the agent and the PTY host. */
  readonly hostSocket: FaultyRelay;
}

const emulatorFacts = Type.Object({ process: Type.Object({ pid: Type.Integer({ minimum: 2 }) }) });

/**
 * Everything between a terminal's program and its viewers, killed, cut or stopped, by name. Only the PTY host is never
 * killed: its programs end with it. Each resolves when what happened is over, or when it is mended by itself.
 */
export const mishaps: Readonly<Record<string, (scene: MishapScene) => Promise<void>>> = {
  "the controller is killed": async ({ berth }) => {
    await berth.crash();
    await berth.start();
  },
  "the controller is stopped": ({ berth, random }) => stopped(berth.process.pid, random),
  "the agent is killed": ({ berth, sandbox }) => killProgram(berth, sandbox, "agent"),
  "the agent is stopped": async ({ berth, sandbox, random }) => stopped(await pidOf(berth, sandbox, "agent"), random),
  "the PTY host is stopped": async ({ berth, sandbox, random }) =>
    stopped(await pidOf(berth, sandbox, "pty-host"), random),
  "the database is killed": async ({ berth }) => {
    const path = join(berth.dataDir, "postgres", "postmaster.pid");
    await killServer(berth, Number((await readFile(path, "utf8")).split("\n")[0]));
  },
  "the bundled Proxmox is killed": async ({ berth }) => {
    const text = await readFile(join(berth.dataDir, "proxmox", "emulator.json"), "utf8");
    await killServer(berth, Value.Parse(emulatorFacts, parseJson(text)).process.pid);
  },
  "all viewers are cut off": async ({ viewersNetwork }) => viewersNetwork.cut(),
  "some viewers are cut off": async ({ viewersNetwork, random }) => viewersNetwork.cut(() => random.chance(0.4)),
  "the viewers' network stands still": async ({ viewersNetwork, random }) => standsStill(viewersNetwork, random),
  "the agent is cut off": async ({ agentNetwork }) => agentNetwork.cut(),
  "the agent's network stands still": async ({ agentNetwork, random }) => standsStill(agentNetwork, random),
  "the agent's network vanishes": async ({ agentNetwork, random }) => {
    agentNetwork.vanish();
    await wait(random.integer(1_000, 6_000));
    agentNetwork.comeBack();
  },
  "the agent and the PTY host are cut apart": async ({ hostSocket }) => hostSocket.cut(),
  "the agent's socket to the PTY host stands still": async ({ hostSocket, random }) => standsStill(hostSocket, random),
};

/** The folder of a sandbox's sockets as this machine sees it. */
export async function socketFolder(berth: Berth, sandbox: Sandbox): Promise<string> {
  return join(await berth.rootOf(sandbox), guestPaths.run);
}

async function stopped(pid: number, random: Random): Promise<void> {
  process.kill(pid, "SIGSTOP");
  try {
    await wait(random.integer(500, 3_000));
  } finally {
    process.kill(pid, "SIGCONT");
  }
}

async function standsStill(relay: FaultyRelay, random: Random): Promise<void> {
  relay.standStill();
  await wait(random.integer(500, 4_000));
  relay.comeBack();
}

/** A server that belongs to the controller, which starts it again; resolves when the controller says that it works. */
async function killServer(berth: Berth, pid: number): Promise<void> {
  const starts = () => berth.process.stderr.split("Berth is ready").length;
  const before = starts();
  process.kill(pid, "SIGKILL");
  await eventually(() => starts() > before, { timeoutMs: 60_000, intervalMs: 100, what: "the controller's return" });
}
