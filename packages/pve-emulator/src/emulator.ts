import { rm } from "node:fs/promises";
import { resolve } from "node:path";
import { type Clock, Scope, systemClock } from "@berth/base";
import { DirectoryInUse, DirectoryLock, identifyProcess, makePrivateDirectory } from "@berth/base/node";
import type { PayloadSources } from "@berth/template";
import { type AccessState, controllerToken, loadAccessState, powerlessToken } from "./access/access-state.ts";
import { Rights } from "./access/rights.ts";
import { accessRoutes } from "./access/routes.ts";
import { SignIn } from "./access/sign-in.ts";
import type { ContainerBackend } from "./backend/backend.ts";
import { type BackendChoice, chooseBackend } from "./backend/choice.ts";
import { cachedBase, openLxcBackend } from "./backend/lxc/open.ts";
import { ProcessBackend } from "./backend/process/process-backend.ts";
import { clusterRoutes } from "./cluster/routes.ts";
import { ContainerStore } from "./containers/container-store.ts";
import { rebootFromInside } from "./containers/power.ts";
import { recoverContainers } from "./containers/recover.ts";
import { containerRoutes } from "./containers/routes/index.ts";
import { StatusReader } from "./containers/status.ts";
import { ensureTemplate } from "./containers/template.ts";
import type { Emulation, Site } from "./emulation.ts";
import { type EmulatorFacts, factsFile } from "./emulator-facts.ts";
import { CallRecord } from "./faults/call-record.ts";
import { FaultRules } from "./faults/fault-rules.ts";
import type { FaultsControl } from "./faults/faults-endpoint.ts";
import { runPct } from "./faults/host-shell.ts";
import { loadCertificate } from "./http/certificate.ts";
import { Dispatcher } from "./http/dispatcher.ts";
import { type Route, RouteTable } from "./http/route.ts";
import { ApiServer } from "./http/server.ts";
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
}

const names = { node: "pve", storage: "local-btrfs", bridge: "vmbr0", pool: "sandboxes", template: 150 } as const;

/** Starts an emulator. Throws an error of one sentence when it cannot; then nothing is left of it. */
export async function startEmulator(options: EmulatorOptions): Promise<RunningEmulator> {
  const dataDir = resolve(options.dataDir);
  const scope = new Scope();
  const start = { succeeded: false };
  try {
    await makePrivateDirectory(dataDir);
    scope.own(await lockFolder(dataDir));
    const { certificate, key, fingerprint } = await loadCertificate(dataDir, names.node);
    const site: Site = { ...names, fingerprint };
    const access = await loadAccessState(dataDir, site);
    const emulation = await openEmulation(options, { dataDir, site, access, scope, start });
    const control: FaultsControl = {
      faults: new FaultRules(),
      calls: new CallRecord(emulation.clock),
      pct: (command) => runPct(emulation, command),
      allowMachinePorts: (ports, services) => emulation.backend.allowMachinePorts(ports, services),
    };
    const dispatcher = dispatcherOf(emulation, access, control);
    const server = await ApiServer.listen({
      host: "127.0.0.1",
      port: options.port ?? 0,
      certificate,
      key,
      handle: (request, response) => void dispatcher.handle(request, response).catch(() => response.destroy()),
    });
    scope.own(server);
    const facts = factsOf(site, access, server.port, emulation.backend);
    await publishFacts(dataDir, facts, scope);
    start.succeeded = true;
    return { ...facts, control, [Symbol.asyncDispose]: () => scope.dispose() };
  } catch (error) {
    await scope.dispose().catch(() => {});
    throw error;
  }
}

interface Opening {
  readonly dataDir: string;
  readonly site: Site;
  readonly access: AccessState;
  readonly scope: Scope;
  readonly start: { readonly succeeded: boolean };
}

/** Reads the state of earlier runs, takes over what still runs, and makes the template. */
async function openEmulation(options: EmulatorOptions, opening: Opening): Promise<Emulation> {
  const { dataDir, site, access, scope, start } = opening;
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
  const emulation: Emulation = { site, clock, rights, tasks, pools, store, archives, backend, report };
  await backend.adopt(store.all().map(({ vmid }) => vmid));
  for (const { vmid } of store.all()) if (backend.running(vmid)) report(`container ${vmid} still runs: taken over`);
  await recoverContainers(emulation);
  await ensureTemplate(emulation);
  backend.onEnd = (vmid, reason) => {
    report(`container ${vmid} ended by itself (${reason})`);
    if (reason !== "reboot") return;
    rebootFromInside(emulation, vmid).catch((error: unknown) => report(`container ${vmid}: ${String(error)}`));
  };
  return emulation;
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

function dispatcherOf(emulation: Emulation, access: AccessState, control: FaultsControl): Dispatcher {
  const { rights, tasks, site, clock, report } = emulation;
  const signIn = new SignIn(access, clock);
  const statuses = new StatusReader(emulation);
  const routes: Route[] = [
    ...accessRoutes(signIn, rights),
    ...clusterRoutes(emulation, statuses),
    ...nodeRoutes(emulation),
    ...applianceRoutes(emulation),
    ...storageRoutes(emulation),
    ...poolRoutes(emulation, statuses),
    ...taskRoutes(tasks, rights, site.node),
    ...containerRoutes(emulation, statuses),
  ];
  return new Dispatcher({ routes: new RouteTable(routes), signIn, rights, control, node: site.node, clock, report });
}

function factsOf(site: Site, access: AccessState, port: number, backend: ContainerBackend): EmulatorFacts {
  const { fingerprint, node, storage, bridge, pool } = site;
  return {
    url: `https://127.0.0.1:${port}`,
    fingerprint,
    node,
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
