import type { Clock } from "@berth/base";
import type { BootstrapKeys } from "@berth/base/node";
import type { Environment, Failure, Idle, SandboxSize } from "@berth/protocol";
import type { ProxmoxClient } from "@berth/proxmox";
import type { FastifyBaseLogger } from "fastify";
import type { Kysely } from "kysely";
import { OrphanWatch } from "../adoption/orphan-watch.ts";
import { Orphans } from "../adoption/orphans.ts";
import { ToldOrphans } from "../adoption/told-orphans.ts";
import { ClusterView } from "../cluster/cluster-view.ts";
import type { FreeIds } from "../cluster/free-ids.ts";
import { Placer } from "../cluster/placer.ts";
import type { EventLog } from "../events/log.ts";
import type { FleetKeys } from "../fleet/keys.ts";
import { FleetLimits, type Limits } from "../limits/limits.ts";
import { OperationJournal } from "../operations/journal.ts";
import { PoolKeeper } from "../pool/keeper.ts";
import { PoolMembers } from "../pool/members.ts";
import type { Database } from "../store/tables.ts";
import type { TemplateFinder } from "../templates/finder.ts";
import { makeActions } from "./actions.ts";
import { Claims } from "./claims.ts";
import { forgetSandbox } from "./forget.ts";
import { LeftClaims } from "./left-claims.ts";
import { SandboxLookup } from "./lookup.ts";
import { Observer } from "./observe.ts";
import { Reconciler } from "./reconciler.ts";
import type { SandboxRow } from "./record.ts";
import { Sandboxes } from "./repository.ts";
import { SandboxService, type SandboxServiceDependencies } from "./service.ts";
import { pendingOf } from "./steps/change.ts";
import { type ActionDependencies, type FillProgress, place } from "./steps/dependencies.ts";
import { describe } from "./steps/describe.ts";
import { leaveLostNode } from "./steps/lost-node.ts";
import { TaskRunner } from "./tasks.ts";
import { type AgentPresence, FleetWatch } from "./watch.ts";
import { WorkLoop } from "./work-loop.ts";

/** What sandboxes have to do with the links of their agents; the registry is one. */
export interface SandboxLinks extends AgentPresence {
  /** The container stopped. */
  drop(sandboxId: string): void;
  /** The sandbox is no more. */
  forget(sandboxId: string): void;
}

/** What workspaces are made from, and what is kept of them. */
export interface Workspaces {
  wish: SandboxServiceDependencies["workspaceWish"];
  fill(sandboxes: Sandboxes, row: SandboxRow, progress: FillProgress): Promise<void>;
  keep: ActionDependencies["keepWork"];
  lastLook: ActionDependencies["lastLook"];
  /** The sandbox is no more: what is kept for it outside goes, too. Never rejects. */
  gone(row: SandboxRow): Promise<void>;
}

export interface SandboxModuleDependencies {
  db: Kysely<Database>;
  events: EventLog;
  client: ProxmoxClient;
  freeIds: FreeIds;
  keys: FleetKeys;
  bootstrapKeys(templateId: string | null): BootstrapKeys;
  template: TemplateFinder;
  registry: SandboxLinks;
  clock: Clock;
  log: FastifyBaseLogger;
  pool: string | undefined;
  storage: string | undefined;
  bridge: string | undefined;
  vlan: number | undefined;
  /** What a sandbox gets where nobody says otherwise, and what all may come to. */
  size: SandboxSize;
  limits: Limits;
  /** How many times over a node's memory may be promised to sandboxes. */
  memoryOvercommit: number;
  agentUrl(localAddress: string): string;
  environment(row: SandboxRow): Environment;
  authorizedKeys(row: SandboxRow): Promise<string[]>;
  workspaces: Workspaces;
  handOver: ActionDependencies["handOver"];
  /** How many sandboxes are made ahead where nobody has said otherwise since. */
  poolSize: number;
  /** A sandbox's disk was put back to what it was at an earlier time. */
  rolledBack(sandboxId: string): Promise<void>;
  /** An adopted sandbox says which terminals it has. */
  restoreTerminals: ActionDependencies["restoreTerminals"];
  sleep: SleepKnowledge;
}

/** What is known of the use of sandboxes. */
export interface SleepKnowledge {
  /** Asks a sandbox whether it may sleep now: why not, or undefined. */
  ask(row: SandboxRow, again: boolean): Promise<Failure | undefined>;
  /** How it stands with a sandbox's sleep, as it was last found. */
  idle(sandboxId: string): Idle;
}

/** All that makes and keeps sandboxes, put together. */
export interface SandboxModule {
  readonly sandboxes: Sandboxes;
  readonly service: SandboxService;
  readonly journal: OperationJournal;
  readonly lookup: SandboxLookup;
  readonly limits: FleetLimits;
  readonly placer: Placer;
  readonly orphans: Orphans;
  readonly toldOrphans: ToldOrphans;
  /** To be started by whoever wants it: sandboxes do without. */
  readonly orphanWatch: OrphanWatch;
  readonly warmPool: PoolKeeper;
  readonly members: PoolMembers;
  /**
   * The agent of a sandbox has introduced itself: what waited for it goes on. Where it seems to dial from is a hint that
   * the container may have another address now. Never rejects.
   */
  arrived(sandboxId: string, agentVersion: string, address: string | undefined): Promise<void>;
  /** The agent of a sandbox is gone. Never rejects. */
  departed(sandboxId: string): Promise<void>;
  start(): void;
  stop(): Promise<void>;
}

/** Puts the sandboxes' parts together; nothing runs before `start`. */
export function makeSandboxModule(deps: SandboxModuleDependencies): SandboxModule {
  const { db, events, client, keys, clock, log } = deps;
  const stopping = new AbortController();
  const agents = deps.registry;
  const isConnected = (sandboxId: string) => agents.isConnected(sandboxId);
  const sandboxes = new Sandboxes({ db, isConnected, idle: (sandboxId) => deps.sleep.idle(sandboxId) });
  const journal = new OperationJournal({ db, events, clock });
  const claims = new Claims({ db, freeIds: deps.freeIds, sandboxes, clock });
  const tasks = new TaskRunner<SandboxRow>({
    client,
    journal,
    note: (row, task) => sandboxes.change(row, { task: task && JSON.stringify(task) }),
    clock,
    signal: stopping.signal,
  });
  const limits = new FleetLimits(deps.limits);
  const placer = new Placer({ db, client, clock, memoryOvercommit: deps.memoryOvercommit });
  const view = new ClusterView({ client, clock });
  const observer = new Observer({ client, view, keys, clock });
  const stepDependencies: ActionDependencies = {
    ...deps,
    placer,
    sandboxes,
    claims,
    tasks,
    journal,
    isConnected,
    signal: stopping.signal,
    fillWorkspace: (row, progress) => deps.workspaces.fill(sandboxes, row, progress),
    keepWork: deps.workspaces.keep,
    lastLook: deps.workspaces.lastLook,
    askSleep: (row, again) => deps.sleep.ask(row, again),
    dropLink: (sandboxId) => agents.drop(sandboxId),
    forget: async (row) => {
      await deps.workspaces.gone(row);
      await forgetSandbox({ events, journal }, row);
      agents.forget(row.id);
      observer.forget(row.id);
    },
  };
  const reconciler = new Reconciler({
    db,
    observer,
    sandboxes,
    journal,
    claims,
    tasks,
    actions: makeActions(stepDependencies),
    pendingSettings: (row) => pendingOf(stepDependencies, place(row)),
    leaveLostNode: (row, operation, error) =>
      leaveLostNode({ client, claims, journal, sandboxes }, row, operation, error),
    describe: (row, owner, mark) => describe({ client, keys }, row, owner, mark),
    agents,
    clock,
    log,
    signal: stopping.signal,
  });
  const loop = new WorkLoop({
    clock,
    log,
    due: (now) => sandboxes.due(now),
    look: (sandboxId) => reconciler.look(sandboxId),
  });
  const wake = (sandboxId: string) => loop.wake(sandboxId);
  const watch = new FleetWatch({ db, view, clock, log, agents, wake });
  const leftClaims = new LeftClaims({ client, keys, claims, clock, log });
  const tell = async (sandboxId: string, what: (row: SandboxRow) => Promise<void>) => {
    try {
      const row = await sandboxes.find(sandboxId);
      if (row && !stopping.signal.aborted) await what(row);
    } catch (error) {
      if (!stopping.signal.aborted)
        log.warn({ sandboxId, err: error }, "an agent's coming or going could not be written down");
    }
  };
  const members = new PoolMembers({ sandboxes, journal, isConnected });
  const service = new SandboxService({
    ...{ sandboxes, journal, clock, wake, limits, members },
    defaultSize: deps.size,
    workspaceWish: deps.workspaces.wish,
  });
  const warmPool = new PoolKeeper({
    ...{ db, sandboxes, service, members, clock, log, templates: deps.template },
    defaultSize: deps.poolSize,
    sandboxSize: deps.size,
  });
  const orphans = new Orphans({ db, client, keys, vlan: deps.vlan });
  const toldOrphans = new ToldOrphans({ events, log });
  return {
    sandboxes,
    limits,
    placer,
    orphans,
    toldOrphans,
    orphanWatch: new OrphanWatch({ db, orphans, told: toldOrphans, clock, log }),
    service,
    warmPool,
    members,
    journal,
    lookup: new SandboxLookup(db),
    arrived: (sandboxId, agentVersion, address) =>
      tell(sandboxId, async (row) => {
        if (row.agent_version !== agentVersion) await sandboxes.change(row, { agent_version: agentVersion });
        else await sandboxes.announceNow(row);
        const readdressed = address !== undefined && address !== row.address;
        if (readdressed) observer.doubtAddress(sandboxId);
        // A thousand agents that come back to a controller which was restarted are no reason for a thousand looks.
        const isOpen = row.state !== "ready" || row.look_at !== null || row.restart_needed.length > 0;
        if (readdressed || isOpen) loop.wake(sandboxId);
      }),
    departed: (sandboxId) => tell(sandboxId, (row) => sandboxes.announceNow(row)),
    start: () => {
      loop.start();
      watch.start();
      leftClaims.start();
      warmPool.start();
    },
    stop: async () => {
      stopping.abort(new Error("the controller stops"));
      watch.stop();
      await warmPool.stop();
      await loop.stop();
      await leftClaims.stop();
    },
  };
}
