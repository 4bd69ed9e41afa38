import { rm } from "node:fs/promises";
import type { RequestListener } from "node:http";
import { resolve } from "node:path";
import { type Clock, Scope, systemClock } from "@berth/base";
import { DirectoryInUse, DirectoryLock, identifyProcess, makePrivateDirectory } from "@berth/base/node";
import type { PayloadSources } from "@berth/template";
import {
  type AccessScope,
  type AccessState,
  controllerToken,
  loadAccessState,
  powerlessToken,
  saveAccessState,
} from "./access/access-state.ts";
import { runPveum } from "./access/pveum.ts";
import { Rights } from "./access/rights.ts";
import { accessRoutes } from "./access/routes.ts";
import { SignIn } from "./access/sign-in.ts";
import type { ContainerBackend } from "./backend/backend.ts";
import { type BackendChoice, chooseBackend } from "./backend/choice.ts";
import { cachedBase, openLxcBackend } from "./backend/lxc/open.ts";
import { ProcessBackend } from "./backend/process/process-backend.ts";
import { Cluster, type ClusterOptions } from "./cluster/cluster.ts";
import { befallHost } from "./cluster/host-fate.ts";
import { HostServers } from "./cluster/host-servers.ts";
import { clusterRoutes } from "./cluster/routes.ts";
import { ContainerStore } from "./containers/container-store.ts";
import { rebootFromInside } from "./containers/power.ts";
import { recoverContainers } from "./containers/recover.ts";
import { containerRoutes } from "./containers/routes/index.ts";
import { StatusReader } from "./containers/status.ts";
import { ensureTemplate } from "./containers/template.ts";
import { type Emulation, onNode, type Site } from "./emulation.ts";
import { type EmulatorFacts, factsFile, type HostFacts } from "./emulator-facts.ts";
import { CallRecord } from "./faults/call-record.ts";
import { FaultRules } from "./faults/fault-rules.ts";
import type { FaultsControl } from "./faults/faults-endpoint.ts";
import { runPct } from "./faults/host-shell.ts";
import { type Certificate, loadCertificate } from "./http/certificate.ts";
import { Dispatcher, type Hosts } from "./http/dispatcher.ts";
import { type Route, RouteTable } from "./http/route.ts";
import { applianceRoutes } from "./nodes/appliance-routes.ts";
import { nodeRoutes } from "./nodes/routes.ts";
import { PoolStore } from "./pools/pool-store.ts";
import { poolRoutes } from "./pools/routes.ts";
import { saveJson } from "./state/json-file.ts";
import { Archives, type BaseArchive } from "./storage/archives.ts";
import { storageRoutes } from "./storage/routes.ts";
import { taskRoutes } from "./tasks/routes.ts";
import { TaskList } from "./tasks/task-list.ts";

/** Makes a backend over the emulator's folder and clock; the bootstrap keys are derived from the secret. */
export type MakeBackend = (place: { dataDir: string; tokenSecret: string; clock: Clock }) => ContainerBackend;

export interface EmulatorOptions {
  /** Everything that the emulator keeps; one emulator at a time. */
  readonly dataDir: string;
  /** 0 for any free one. */
  readonly port?: number;
  /** `process` by default; or what makes one of one's own. */
  readonly backend?: BackendChoice | MakeBackend;
  /** Hosts, storages and templates; by default one host, `pve`, with one storage and template 150. */
  readonly cluster?: ClusterOptions | undefined;
  /** Containers get no way to the outside. The process backend shares the machine's network and cannot hold this. */
  readonly isolated?: boolean;
  /** Gets the archive that containers are made from, where they have root file systems of their own: a Debian, cached. */
  readonly baseArchive?: BaseArchive;
  /** Where the template's contents are taken from. */
  readonly payload?: PayloadSources;
  readonly clock?: Clock;
  /** One line a life-cycle change. */
  readonly report?: (line: string) => void;
}

/** An emulator of this process. Disposing of it stops its containers and ends it; its data stay. */
export interface RunningEmulator extends EmulatorFacts, AsyncDisposable {
  /** What `/_faults` and its neighbours do, for who has the emulator in the same process. */
  readonly control: FaultsControl;
  /** All hosts. */
  readonly nodes: HostFacts[];
}

const names = { bridge: "vmbr0", pool: "sandboxes" } as const;
const oneHost: ClusterOptions = {
  nodes: [{ name: "pve" }],
  storages: [{ storage: "local-btrfs", type: "btrfs" }],
  templates: [{ vmid: 150, node: "pve", storage: "local-btrfs" }],
};

/** Starts an emulator. Throws an error of one sentence when it cannot; then nothing is left of it. */
export async function startEmulator(options: EmulatorOptions): Promise<RunningEmulator> {
  const dataDir = resolve(options.dataDir);
  const scope = new Scope();
  const start = { succeeded: false };
  try {
    await makePrivateDirectory(dataDir);
    scope.own(await lockFolder(dataDir));
    const wanted = options.cluster ?? oneHost;
    const certificates = await certificatesOf(dataDir, wanted);
    const cluster = new Cluster(wanted, (node) => certificates.get(node)?.fingerprint ?? "");
    const site = siteOf(wanted);
    const access = await loadAccessState(dataDir, scopeOf(wanted));
    const { emulation, tasks } = await openEmulation(options, { dataDir, site, cluster, access, scope, start });
    const control: FaultsControl = {
      faults: new FaultRules(),
      calls: new CallRecord(emulation.clock),
      pct: (command) => runPct(emulation, command),
      pveum: async (line) => {
        const printed = await runPveum(access, emulation.pools, line);
        await saveAccessState(dataDir, access);
        return printed;
      },
      befall: (fate) => befallHost({ emulation, tasks, servers }, fate),
      allowMachinePorts: (ports, services) => emulation.backend.allowMachinePorts(ports, services),
    };
    const dispatcherOf = dispatchers(emulation, access, control);
    const servers = await HostServers.listen(
      [...certificates].map(([node, certificate], index) => ({
        ...{ node, certificate, port: index === 0 ? (options.port ?? 0) : 0 },
        handle: handlerOf(dispatcherOf(node)),
      })),
    );
    scope.own(servers);
    const facts = factsOf(emulation, access, servers);
    await publishFacts(dataDir, facts, scope);
    start.succeeded = true;
    return { ...facts, control, [Symbol.asyncDispose]: () => scope.dispose() };
  } catch (error) {
    await scope.dispose().catch(() => {});
    throw error;
  }
}

/** The first host, and where disks go: onto its first storage. */
function siteOf({ nodes: [first], storages: [storage] }: ClusterOptions): Site {
  if (!first || !storage) throw new Error("a cluster has at least one host and one storage");
  return { ...names, node: first.name, storage: storage.storage };
}

function scopeOf({ nodes, storages, templates }: ClusterOptions): AccessScope {
  return {
    nodes: nodes.map(({ name }) => name),
    storages: storages.map(({ storage }) => storage),
    templates: templates.map(({ vmid }) => vmid),
    pool: names.pool,
  };
}

async function certificatesOf(dataDir: string, { nodes }: ClusterOptions): Promise<Map<string, Certificate>> {
  const certificates = new Map<string, Certificate>();
  for (const { name } of nodes) {
    certificates.set(name, await loadCertificate(dataDir, name, certificates.size === 0));
  }
  return certificates;
}

function handlerOf(dispatcher: Dispatcher): RequestListener {
  return (request, response) => void dispatcher.handle(request, response).catch(() => response.destroy());
}

interface Opening {
  readonly dataDir: string;
  readonly site: Site;
  readonly cluster: Cluster;
  readonly access: AccessState;
  readonly scope: Scope;
  readonly start: { readonly succeeded: boolean };
}

/** Reads the state of earlier runs, takes over what still runs, and makes the template. */
async function openEmulation(
  options: EmulatorOptions,
  opening: Opening,
): Promise<{ emulation: Emulation; tasks: TaskList }> {
  const { dataDir, site, cluster, access, scope, start } = opening;
  const clock = options.clock ?? systemClock;
  const report = options.report ?? (() => {});
  const pools = await PoolStore.open(dataDir, site.pool);
  const store = await ContainerStore.open(dataDir, site.node);
  const tokenSecret = controllerToken(access).split("=")[1] ?? "";
  const { backend, base } = await openBackend(options, { dataDir, site, tokenSecret, clock, report });
  // A start that fails (its port is taken, say) must not end the containers that it found running.
  scope.add(async () => {
    if (start.succeeded) await backend[Symbol.asyncDispose]();
    else backend.leave();
  });
  const tasks = await TaskList.open(`${dataDir}/tasks.jsonl`, site.node, clock);
  scope.own(tasks);
  const rights = new Rights(access, (vmid) => pools.poolOf(vmid));
  const archives = await Archives.open(dataDir, base);
  const emulation: Emulation = { site, cluster, clock, rights, tasks, pools, store, archives, backend, report };
  await backend.adopt(store.all().map(({ vmid }) => vmid));
  for (const { vmid } of store.all()) if (backend.running(vmid)) report(`container ${vmid} still runs: taken over`);
  await recoverContainers(emulation);
  for (const template of cluster.templates) await ensureTemplate(emulation, template);
  backend.onEnd = (vmid, reason) => {
    report(`container ${vmid} ended by itself (${reason})`);
    if (reason !== "reboot") return;
    const here = onNode(emulation, store.find(vmid)?.node ?? site.node);
    rebootFromInside(here, vmid).catch((error: unknown) => report(`container ${vmid}: ${String(error)}`));
  };
  return { emulation, tasks };
}

interface BackendPlace {
  readonly dataDir: string;
  readonly site: Site;
  readonly tokenSecret: string;
  readonly clock: Clock;
  readonly report: (line: string) => void;
}

interface OpenedBackend {
  readonly backend: ContainerBackend;
  /** Where containers can be made from archives. */
  readonly base: BaseArchive | undefined;
}

async function openBackend(options: EmulatorOptions, place: BackendPlace): Promise<OpenedBackend> {
  const { dataDir, site, tokenSecret, clock, report } = place;
  const choice = options.backend ?? "process";
  if (typeof choice === "function") {
    return { backend: choice({ dataDir, tokenSecret, clock }), base: options.baseArchive };
  }
  const payload = options.payload ? { payload: options.payload } : {};
  const base = options.baseArchive ?? cachedBase;
  if ((await chooseBackend(dataDir, { choice, base, report })) === "process") {
    return { backend: new ProcessBackend({ dataDir, tokenSecret, ...payload }), base: options.baseArchive };
  }
  const isolated = options.isolated ?? false;
  const lxc = { dataDir, bridge: site.bridge, isolated, tokenSecret, base, ...payload, report };
  return { backend: await openLxcBackend(lxc), base };
}

/** The dispatchers of the hosts, by name. */
function dispatchers(emulation: Emulation, access: AccessState, control: FaultsControl): (node: string) => Dispatcher {
  const { cluster, rights, clock, report } = emulation;
  const signIn = new SignIn(access, clock);
  const statuses = new StatusReader(emulation);
  const tables = new Map(
    cluster.nodes.map(({ name }) => [name, new RouteTable(routesOf(emulation, name, { signIn, statuses }))]),
  );
  const hosts: Hosts = {
    routesOf: (node) => tables.get(node),
    isOnline: (node) => cluster.find(node)?.online === true,
  };
  return (node) => new Dispatcher({ hosts, signIn, rights, control, node, clock, report });
}

/** What one host answers: of itself, and of the cluster. */
function routesOf(
  emulation: Emulation,
  node: string,
  { signIn, statuses }: { signIn: SignIn; statuses: StatusReader },
): Route[] {
  const here = onNode(emulation, node);
  const everywhere = { ...emulation, site: here.site };
  return [
    ...accessRoutes(signIn, emulation.rights),
    ...clusterRoutes(everywhere, statuses),
    ...nodeRoutes(here),
    ...applianceRoutes(here),
    ...storageRoutes(here),
    ...poolRoutes(everywhere, statuses),
    ...taskRoutes(here.tasks, here.rights, node),
    ...containerRoutes(here, statuses),
  ];
}

function factsOf({ site, cluster, backend }: Emulation, access: AccessState, servers: HostServers) {
  const { node, storage, bridge, pool } = site;
  return {
    url: servers.urlOf(node),
    fingerprint: cluster.find(node)?.fingerprint ?? "",
    node,
    nodes: cluster.nodes.map(({ name, fingerprint }) => ({ node: name, url: servers.urlOf(name), fingerprint })),
    storage,
    bridge,
    pool,
    token: controllerToken(access),
    powerlessToken: powerlessToken(access),
    rootPassword: access.rootPassword,
    hostAddress: backend.hostAddress,
    backend: backend.kind,
  };
}

/** Tells, beside the data, where this emulator is, for a controller that looks for one to take over. */
async function publishFacts(dataDir: string, facts: EmulatorFacts, scope: Scope): Promise<void> {
  const path = factsFile(dataDir);
  await saveJson(path, { ...facts, process: identifyProcess(process.pid) });
  scope.add(() => rm(path, { force: true }));
}

async function lockFolder(folder: string): Promise<DirectoryLock> {
  try {
    return await DirectoryLock.acquire(folder);
  } catch (error) {
    if (!(error instanceof DirectoryInUse)) throw error;
    throw new Error(
      `${folder} is used by another emulator, process ${error.holder.pid}: stop that one, or give another --data`,
      { cause: error },
    );
  }
}
