import { PassThrough } from "node:stream";
import { bundledTemplateKeys } from "@berth/base/node";
import { defaultSize } from "@berth/protocol";
import { ProxmoxClient } from "@berth/proxmox";
import type { RunningEmulator } from "@berth/pve-emulator";
import { AgentListener } from "../../../src/agents/listener.ts";
import { AgentRegistry } from "../../../src/agents/registry.ts";
import { FreeIds } from "../../../src/cluster/free-ids.ts";
import { EventLog } from "../../../src/events/log.ts";
import type { FleetKeys } from "../../../src/fleet/keys.ts";
import { createLogger } from "../../../src/http/logger.ts";
import { makeSandboxModule, type SandboxModule } from "../../../src/sandboxes/module.ts";
import { knowUse, makeSleepModule, type SleepModule } from "../../../src/sleep/module.ts";
import { acquireLeadership } from "../../../src/store/leader.ts";
import type { ContentsFinder } from "../../../src/templates/contents.ts";
import { makeTemplateModule, type TemplateModule } from "../../../src/templates/module.ts";
import { restoreTerminals } from "../../../src/terminals/restore.ts";
import { emptyWorkspaces } from "../../empty-workspaces.ts";
import { noLimits } from "../../no-limits.ts";
import { type MortalDatabase, openMortalDatabase } from "./database.ts";
import { guestSsh } from "./guest.ts";
import { Lifeline, type Point } from "./lifeline.ts";
import { normalisePath, templateVmid } from "./places.ts";
import type { QuietClock } from "./quiet-clock.ts";

export interface ControllerPlace {
  readonly databaseUrl: string;
  readonly emulator: RunningEmulator;
  readonly clock: QuietClock;
  readonly keys: FleetKeys;
  /** Of the agents' listener: the same for each controller that follows another. */
  readonly agentPort: number;
  /** What templates are built from. */
  readonly contents: ContentsFinder;
}

/** A controller of this process, made of the real parts. */
export interface SweepController {
  readonly fleet: SandboxModule;
  readonly sleep: SleepModule;
  /** Of which nothing runs until it is started: few flows build, and it would look for work every second. */
  readonly templates: TemplateModule;
  readonly database: MortalDatabase;
  /** Asks Proxmox as this controller does. */
  readonly client: ProxmoxClient;
  readonly lifeline: Lifeline;
  readonly agentPort: number;
  /** What it has logged. */
  log(): string;
  /** Kills it, if it is not dead already, and waits until its port is free. */
  kill(): Promise<void>;
}

/** Starts a controller that tells `passed` of every point; it waits for its turn to lead, as the real one does. */
export async function startController(
  place: ControllerPlace,
  passed: (point: Point) => boolean,
): Promise<SweepController> {
  const { clock, keys, emulator } = place;
  const lifeline = new Lifeline(passed);
  const database = openMortalDatabase(place.databaseUrl, clock, lifeline);
  const client = mortalClient(emulator, clock, lifeline);
  const { log, text } = memoryLog();
  const registry = new AgentRegistry(clock);
  const port = { of: place.agentPort };
  const leadership = await acquireLeadership(database.pool, new AbortController().signal, { clock });
  void leadership.lost.catch(() => {});
  const { db } = database;
  const bundledKeys = bundledTemplateKeys(emulator.token.split("=")[1] ?? "");
  const { pool, bridge, nodes } = emulator;
  // On a cluster, where each has its own.
  const storage = nodes.length > 1 ? undefined : emulator.storage;
  const common = {
    db,
    events: new EventLog({ db, pool: database.pool, clock }),
    client,
    freeIds: new FreeIds(db, client),
    keys,
    clock,
    log,
    pool,
    storage,
    bridge,
    vlan: undefined,
  };
  const use = knowUse({ registry, clock, sleepAfterMs: undefined });
  const templates = makeTemplateModule({
    ...common,
    templateVmids: [templateVmid, ...templatesBeside(emulator)],
    mayLackParts: true,
    sshPort: guestSsh.port,
    contents: place.contents,
  });
  const fleet = makeSandboxModule({
    ...common,
    size: defaultSize,
    limits: noLimits,
    memoryOvercommit: 4,
    template: templates.finder,
    registry,
    bootstrapKeys: (templateId) => (templateId === null ? bundledKeys : keys.templateKeys(templateId)),
    agentUrl: () => `wss://127.0.0.1:${port.of}`,
    environment: ({ name, env }) => ({ BERTH_SANDBOX: name, ...env }),
    authorizedKeys: async () => [],
    workspaces: emptyWorkspaces,
    handOver: async () => {},
    poolSize: 0,
    rolledBack: async () => {},
    restoreTerminals: (row, records) => restoreTerminals(common.events, row, records),
    sleep: use,
  });
  const sleep = makeSleepModule({ ...common, registry, sleepAfterMs: undefined, use, fleet });
  const listener = new AgentListener({
    db,
    registry,
    certificate: keys.listener,
    log,
    environment: async () => ({}),
    recording: true,
    onArrival: ({ sandboxId, agentVersion, remoteAddress }) =>
      void fleet.arrived(sandboxId, agentVersion, remoteAddress),
    onDeparture: (sandboxId) => void fleet.departed(sandboxId),
    onTerminal: () => {},
    onChannel: (_id, channel) => channel.close(),
    onActivity: (sandboxId, activity) => use.activities.tell(sandboxId, activity),
  });
  port.of = await listener.listen("127.0.0.1", place.agentPort);
  let closed: Promise<void> | undefined;
  lifeline.onDeath = () => {
    database.cut();
    void client[Symbol.asyncDispose]();
    closed = listener.close();
  };
  registry.open();
  fleet.start();
  const kill = async () => {
    lifeline.die();
    await closed;
    // Its timers would keep the time from standing still; nothing of it gets through any more.
    void fleet.stop();
    void templates.stop();
  };
  return { fleet, sleep, templates, database, client, lifeline, agentPort: port.of, log: text, kill };
}

/** The real client over the real transport; each call passes the lifeline before it is made and after its answer. */
function mortalClient(emulator: RunningEmulator, clock: QuietClock, lifeline: Lifeline): ProxmoxClient {
  const client = new ProxmoxClient({ ...accessTo(emulator), clock });
  const call = client.transport.call.bind(client.transport);
  client.transport.call = async (request) => {
    const place = `${request.method.toUpperCase()} ${normalisePath(request.path)}`;
    await lifeline.pass(`before ${place}`);
    try {
      return await call(request);
    } finally {
      await lifeline.pass(`after ${place}`);
    }
  };
  return client;
}

/** Each host of a cluster has a template of its own, by consecutive ids. */
function templatesBeside({ nodes }: RunningEmulator): number[] {
  return nodes.slice(1).map((_, index) => templateVmid + 1 + index);
}

/** Every host's address, and the controller's token. */
export function accessTo({ nodes, token }: RunningEmulator) {
  const [id = "", secret = ""] = token.split("=");
  return {
    urls: nodes.map(({ url }) => url),
    credentials: { kind: "token", id, secret },
    trust: { kind: "fingerprint", fingerprints: nodes.map(({ fingerprint }) => fingerprint) },
  } as const;
}

function memoryLog() {
  const output = new PassThrough();
  const lines: string[] = [];
  output.on("data", (chunk: Buffer) => {
    lines.push(chunk.toString());
    if (lines.length > 500) lines.shift();
  });
  return { log: createLogger("debug", output), text: () => lines.join("") };
}
