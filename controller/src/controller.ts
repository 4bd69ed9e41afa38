import { fileURLToPath } from "node:url";
import { type Scope, systemClock } from "@berth/base";
import { bundledTemplateKeys } from "@berth/base/node";
import type { UseKind } from "@berth/protocol";
import { gitRemoteChannelKind } from "@berth/protocol/link";
import type { FastifyBaseLogger } from "fastify";
import { Registry } from "prom-client";
import { portOf, urlOf } from "./addresses.ts";
import { adoptionRoutes } from "./adoption/routes.ts";
import { fleetUpdates } from "./agents/fleet-updates.ts";
import { AgentListener } from "./agents/listener.ts";
import { AgentRegistry } from "./agents/registry.ts";
import { ProxmoxHealth } from "./cluster/connection.ts";
import { FreeIds } from "./cluster/free-ids.ts";
import type { Cluster } from "./cluster/open.ts";
import { clusterRoutes } from "./cluster/routes.ts";
import type { KeptConnection } from "./connection/kept.ts";
import { connectionsOf } from "./connection/of-controller.ts";
import { connectionRoutes } from "./connection/routes.ts";
import { doctorOf } from "./doctor/of-controller.ts";
import { doctorRoutes } from "./doctor/routes.ts";
import { EventLog } from "./events/log.ts";
import { eventRoutes } from "./events/routes.ts";
import { WorkspaceAccess } from "./files/workspace-access.ts";
import { WorkspaceConnections } from "./files/workspace-calls.ts";
import { workspaceRoutes } from "./files/workspace-routes.ts";
import type { FleetKeys } from "./fleet/keys.ts";
import { makeSshModule, type SshModule } from "./gateway/module.ts";
import { environmentOf, handOver, publicKeysOf, sandboxEnvironment, tellEnvironment } from "./guest-environment.ts";
import type { UnitOfWork } from "./http/context.ts";
import { pruneIdempotency } from "./http/idempotency.ts";
import { buildServer } from "./http/server.ts";
import { Identity } from "./identity/identity.ts";
import { identityRoutes } from "./identity/routes.ts";
import { limitRoutes } from "./limits/routes.ts";
import { listenOrExplain } from "./listen.ts";
import type { OperationRow } from "./operations/record.ts";
import { operationRoutes } from "./operations/routes.ts";
import { poolRoutes } from "./pool/routes.ts";
import type { Progress } from "./progress.ts";
import { makeProjectModule, type ProjectModule } from "./projects/module.ts";
import { projectRoutes } from "./projects/routes.ts";
import { Readiness, refuseInStandby } from "./readiness.ts";
import { makeSandboxModule, type SandboxModule } from "./sandboxes/module.ts";
import { sandboxRoutes } from "./sandboxes/routes.ts";
import type { Settings } from "./settings/settings.ts";
import { Guests } from "./shares/guests.ts";
import { Shares } from "./shares/repository.ts";
import { shareRoutes } from "./shares/routes.ts";
import { type KnownUse, knowUse, makeSleepModule, type SleepModule } from "./sleep/module.ts";
import { snapshotRoutes } from "./snapshots/routes.ts";
import { SandboxSsh } from "./ssh/sandbox-ssh.ts";
import type { Store } from "./store/connect.ts";
import { keepHouse } from "./store/housekeeping.ts";
import { acquireLeadership } from "./store/leader.ts";
import { makeTemplateModule, type TemplateModule } from "./templates/module.ts";
import { templateRoutes } from "./templates/routes.ts";
import { terminalFileRoutes } from "./terminals/file-routes.ts";
import { TerminalKeeper } from "./terminals/keeper.ts";
import { Terminals } from "./terminals/repository.ts";
import { restoreTerminals } from "./terminals/restore.ts";
import { terminalRoutes } from "./terminals/routes.ts";
import { version } from "./version.ts";
import { makeWorkspaceModule, type WorkspaceModule } from "./workspaces/module.ts";
import { syncRoutes } from "./workspaces/routes.ts";
import { workspaceSources } from "./workspaces/sources.ts";

/** How long the log of an operation can be read. */
const keepEventsDays = 14;

/** What the parts are made of. */
export interface Foundation {
  /** With the connection to Proxmox that the console has saved. */
  readonly settings: Settings;
  /** Those of the environment, and that connection by itself. */
  readonly given: { readonly settings: Settings; readonly kept: KeptConnection | undefined };
  readonly ports: BoundPorts;
  readonly scope: Scope;
  readonly progress: Progress;
  readonly log: FastifyBaseLogger;
  readonly store: Store;
  readonly cluster: Cluster;
  readonly keys: FleetKeys;
}

/** The parts of a running controller. */
interface Parts extends Foundation {
  readonly events: EventLog;
  readonly registry: AgentRegistry;
  readonly identity: Identity;
  readonly templates: TemplateModule;
  readonly readiness: Readiness;
  readonly fleet: SandboxModule;
  readonly use: KnownUse;
  readonly sleep: SleepModule;
  readonly terminals: Terminals;
  readonly keeper: TerminalKeeper;
  readonly shares: Shares;
  readonly projects: ProjectModule;
  readonly workspaces: WorkspaceModule;
  readonly connections: WorkspaceConnections;
  readonly ssh: SshModule;
  readonly metrics: Registry;
  /** The port of the agents' listener, once it listens. */
  readonly agents: { port: number };
  /** Aborted when another Proxmox is to be used: everything is made anew for that. */
  readonly moving: AbortController;
}

/** A server that the work needs is gone, or the connection that holds the right to work: the next run goes on. */
export class WorkLost extends Error {
  override readonly name = "WorkLost";
}

/** The ports that the first run of a process got where the settings leave them open (0): later ones have the same. */
export interface BoundPorts {
  console?: number;
  agents?: number;
}

/** How a run that nothing went wrong with has ended: it was told to stop, or is to begin again with another Proxmox. */
export type RunEnd = "stopped" | "moved";

/**
 * Makes the parts and has them work, until the signal aborts or another Proxmox is to be used. Throws a `StartError` or
 * `WorkLost`. What it opens it adds to the foundation's scope, whose owner disposes of that.
 */
export function runParts(foundation: Foundation, signal: AbortSignal): Promise<RunEnd> {
  return work(assemble(foundation), signal);
}

/** Makes the parts from the foundation. Nothing of it runs yet. */
function assemble(foundation: Foundation): Parts {
  const { settings, store, cluster, keys, log } = foundation;
  const { client, pool, storage } = cluster;
  const clock = systemClock;
  const events = new EventLog({ db: store.db, pool: store.pool });
  const registry = new AgentRegistry();
  const freeIds = new FreeIds(store.db, client);
  const { bridge, vlan } = settings;
  const common = { db: store.db, events, client, freeIds, keys, clock, log, pool, storage, bridge, vlan };
  const templates = makeTemplateModule({
    ...common,
    templateVmids: settings.templateVmids,
    mayLackParts: settings.proxmox === undefined,
  });
  const bundledKeys = bundledTemplateKeys(cluster.tokenSecret);
  const agents = { port: settings.agentPort };
  const { dataDir, workspaceRoots: folders } = settings;
  const sandboxSsh = new SandboxSsh({ dataDir, keys });
  const { sleepAfterMs, size, limits, memoryOvercommit, poolSize } = settings;
  const use = knowUse({ registry, clock, sleepAfterMs });
  const hold = (kind: UseKind) => (sandboxId: string) => use.activities.hold(sandboxId, kind);
  const projects = makeProjectModule({
    ...{ ...common, registry, settings, ssh: sandboxSsh },
    awake: async (row, signal) =>
      (await sleep.sleepers.awaken(row.id, { addressed: true, ...(signal ? { signal } : {}) })) ?? row,
  });
  const fleet = makeSandboxModule({
    ...common,
    ...{ size, limits, memoryOvercommit, poolSize },
    template: templates.finder,
    registry,
    bootstrapKeys: (templateId) => (templateId === null ? bundledKeys : keys.templateKeys(templateId)),
    agentUrl: (localAddress) =>
      settings.agentUrl?.origin.replace(/^http/, "ws") ?? urlOf("wss", localAddress, agents.port),
    environment: (row) => sandboxEnvironment(foundation, row),
    authorizedKeys: (row) => publicKeysOf(store, row.owner_id),
    workspaces: workspaceSources(projects.workspaces, () => workspaces),
    handOver: (row) => handOver({ ...foundation, registry, access: ssh.access }, row),
    rolledBack: (sandboxId) => terminals.rolledBack(sandboxId),
    restoreTerminals: (row, records) => restoreTerminals(events, row, records),
    sleep: use,
  });
  const { lookup, sandboxes } = fleet;
  const sleep = makeSleepModule({ ...common, registry, sleepAfterMs, use, fleet });
  const { awaitReady, sleepers } = sleep;
  const connections = new WorkspaceConnections(hold("call"));
  const workspaces = makeWorkspaceModule({
    ...common,
    ...{ registry, connections, ssh: sandboxSsh, sandboxes, dataDir, folders, awaitReady, hold: hold("sync") },
  });
  const terminals = new Terminals(store.db, events, (trx, row, attention) =>
    sandboxes.changeIn({ trx, afterCommit: () => {} }, row, { attention }),
  );
  const keeper = new TerminalKeeper({ terminals, registry, log, sleepers });
  const metrics = new Registry();
  const ssh = makeSshModule({
    ...common,
    ...{ settings, lookup, ssh: sandboxSsh, keeper, registry, metrics, sleepers, awaitReady, hold: hold("ssh") },
  });
  return {
    ...foundation,
    ...{ events, registry, templates, terminals, agents, fleet, use, sleep },
    ...{ projects, workspaces, connections, metrics },
    identity: new Identity({ db: store.db, clock, onKeysChanged: ssh.keysChanged }),
    readiness: new Readiness(store.db, new ProxmoxHealth(client, clock)),
    keeper,
    shares: new Shares(store.db, clock),
    ssh,
    moving: new AbortController(),
  };
}

/** Serves, waits for its turn to lead, and works until it is told to stop. */
async function work(parts: Parts, stop: AbortSignal): Promise<RunEnd> {
  const { settings, scope, progress, store, events, identity, readiness, fleet, keeper } = parts;
  const signal = AbortSignal.any([stop, parts.moving.signal]);
  await events.start();
  scope.add(() => events.stop());
  await identity.setup.prepare(settings.adminPassword);
  const console = await serveConsole(parts);

  const onStandby = () => progress.step("another controller works on this database: standing by");
  const leadership = await acquireLeadership(store.pool, signal, { onStandby });
  scope.add(() => leadership.release());
  scope.add(() => keeper.stop());
  await serveAgents(parts);
  scope.add(() => parts.workspaces.stop());
  await parts.workspaces.start();
  scope.add(() => parts.projects.operations.stop());
  await parts.projects.operations.resume();
  for (const { stop, start } of [parts.templates, fleet]) {
    scope.add(stop);
    start();
  }
  scope.add(() => parts.sleep.stop());
  parts.sleep.start();
  await parts.ssh.start(scope);
  readiness.active = true;
  keepHouseWhile(parts, scope);
  scope.add(() => fleet.orphanWatch.stop());
  fleet.orphanWatch.start();
  const setupPath = await identity.setup.issueLink();
  progress.ready(console, setupPath && console + setupPath);

  const stopped = new Promise<undefined>((resolve) => {
    if (signal.aborted) resolve(undefined);
    signal.addEventListener("abort", () => resolve(undefined), { once: true });
  });
  const loss = (message: string) => (cause: Error) => new WorkLost(message, { cause });
  const lost = await Promise.race([
    stopped,
    leadership.lost.then(loss("The connection to PostgreSQL was lost.")),
    parts.cluster.lost.then(loss("The bundled Proxmox has ended.")),
  ]);
  if (lost) throw lost;
  return stop.aborted ? "stopped" : "moved";
}

/** Removes what is too old to be of use, until the scope is disposed. */
function keepHouseWhile(parts: Parts, scope: Scope): void {
  const { store, events, identity, shares, projects, workspaces, ssh, log } = parts;
  const over = new AbortController();
  const chores = {
    events: () => events.prune(keepEventsDays),
    "idempotency keys": () => pruneIdempotency(store.db, systemClock.now()),
    sessions: () => identity.sessions.prune(),
    shares: () => shares.prune(),
    "kept work": () => projects.kept.prune(),
    syncs: () => workspaces.prune(),
    "SSH sessions": () => ssh.sessions.prune(),
    "host certificates": () => ssh.access.lookAtAll(),
  };
  const done = keepHouse(chores, systemClock, over.signal, {
    removed: (chore, rows) => log.debug({ chore, rows }, "old rows removed"),
    failed: (chore, err) => log.warn({ chore, err }, "old rows could not be removed"),
  });
  scope.add(() => {
    over.abort();
    return done;
  });
}

/** Listens for people; answers the console's address. */
async function serveConsole(parts: Parts): Promise<string> {
  const { settings, scope, store, log, events, registry, identity, templates, readiness, fleet, terminals, keeper } =
    parts;
  const { client } = parts.cluster;
  const { awaitReady, sleepers } = parts.sleep;
  const hold = (sandboxId: string) => sleepers.hold(sandboxId, "viewer");
  const guests = new Guests(systemClock);
  const made = (terminalId: string) => keeper.made(terminalId);
  const cancelBuild = (work: UnitOfWork, operation: OperationRow) => templates.service.cancel(work, operation);
  const cancelSync = (work: UnitOfWork, operation: OperationRow) => parts.workspaces.service.cancel(work, operation);
  const doctor = doctorOf(parts);
  const cancelGit = (work: UnitOfWork, operation: OperationRow) => parts.projects.operations.cancel(work, operation);
  const server = await buildServer({
    settings,
    db: store.db,
    clock: systemClock,
    logger: log,
    authenticate: (token) => identity.sessions.authenticate(token),
    routes: [
      (api) => refuseInStandby(api, readiness),
      (api) => identityRoutes(api, identity),
      (api) => eventRoutes(api, events),
      (api) =>
        sandboxRoutes(api, {
          ...fleet,
          permitDestroy: (row, discard) => parts.projects.guard.permit(row, discard),
          onEnvironmentChanged: (id) => void tellEnvironment(parts, id),
          onRenamed: (id) => parts.ssh.access.look(id),
        }),
      (api) => snapshotRoutes(api, { ...fleet, events, client, now: () => systemClock.now() }),
      (api) => projectRoutes(api, { ...parts.projects, lookup: fleet.lookup }),
      (api) => operationRoutes(api, { events, ...fleet, cancelBuild, cancelSync, cancelGit }),
      (api) => syncRoutes(api, { workspaces: parts.workspaces, lookup: fleet.lookup, awaitReady }),
      (api) =>
        terminalRoutes(api, {
          ...{ terminals, keeper, registry, events, guests },
          lookup: fleet.lookup,
          recording: settings.recording,
          awaitReady,
          sleepers,
        }),
      (api) => terminalFileRoutes(api, { terminals, keeper }),
      (api) =>
        workspaceRoutes(
          api,
          new WorkspaceAccess({
            ...{ lookup: fleet.lookup, registry, sleepers, connections: parts.connections },
            closing: api.closing,
          }),
        ),
      (api) => shareRoutes(api, { shares: parts.shares, guests, terminals, registry, made, hold }),
      (api) => poolRoutes(api, { keeper: fleet.warmPool }),
      (api) =>
        clusterRoutes(api, {
          ...{ placer: fleet.placer, finder: templates.finder },
          ...{ size: settings.size, storage: parts.cluster.storage },
          checks: async () => (await doctor.recent()).checks,
        }),
      (api) => limitRoutes(api, fleet),
      (api) => doctorRoutes(api, doctor),
      (api) => adoptionRoutes(api, fleet),
      (api) => connectionRoutes(api, connectionsOf(parts)),
      (api) => templateRoutes(api, templates),
      (api) => parts.ssh.routes(api),
    ],
    readiness: () => readiness.report(),
    registry: parts.metrics,
    version,
    consoleDir: fileURLToPath(new URL("../../web/dist", import.meta.url)),
  });
  scope.add(() => server.close());
  const { host, port } = settings;
  await listenOrExplain({ host, port, variable: "BERTH_PORT", what: "The console" }, () =>
    server.listen({ host, port }),
  );
  parts.ports.console = portOf(server);
  return settings.publicUrl?.origin ?? urlOf("http", host, parts.ports.console);
}

/** Listens for agents. */
async function serveAgents(parts: Parts): Promise<void> {
  const { settings, scope, store, keys, log, registry, fleet, keeper, agents, cluster } = parts;
  const updates = fleetUpdates({ ...parts, clock: systemClock });
  scope.add(() => updates.stop());
  const listener = new AgentListener({
    db: store.db,
    registry,
    certificate: keys.listener,
    log,
    environment: (sandboxId) => environmentOf(parts, sandboxId),
    recording: settings.recording,
    onArrival: ({ sandboxId, agentVersion, failedUpdate, remoteAddress, terminals: statuses, activity }) => {
      if (activity) parts.use.activities.tell(sandboxId, activity);
      if (settings.agentUpdates) void updates.arrived({ sandboxId, agentVersion, failedUpdate });
      void fleet.arrived(sandboxId, agentVersion, remoteAddress);
      parts.ssh.access.look(sandboxId);
      void keeper.reconcile(sandboxId, statuses);
    },
    onDeparture: (sandboxId) => {
      parts.use.activities.departed(sandboxId);
      void fleet.departed(sandboxId);
    },
    onTerminal: (sandboxId, status) => keeper.note(sandboxId, status),
    onActivity: (sandboxId, activity) => parts.use.activities.tell(sandboxId, activity),
    onChannel: (sandboxId, channel, kind, params) => {
      if (kind === gitRemoteChannelKind) parts.projects.remotes.open(sandboxId, channel, params);
      else channel.close({ code: "invalid_request", detail: "no such kind of channel" });
    },
  });
  scope.add(() => parts.projects.remotes.stop());
  const host = cluster.agentHost ?? "0.0.0.0";
  const place = { host, port: settings.agentPort, variable: "BERTH_AGENT_PORT", what: "The agents' listener" };
  scope.add(() => listener.close());
  agents.port = await listenOrExplain(place, () => listener.listen(host, settings.agentPort));
  parts.ports.agents = agents.port;
  await cluster.allowAgents(agents.port);
}
