import Type, { type Static } from "typebox";
import { startStart } from "../containers/power.ts";
import { type Emulation, onNode } from "../emulation.ts";
import { ApiError } from "../http/api-error.ts";
import { requireStorageOn } from "../storage/storages.ts";
import type { TaskList } from "../tasks/task-list.ts";
import type { ClusterNode } from "./cluster.ts";
import type { HostServers } from "./host-servers.ts";

/** What `PUT /_nodes` takes: what becomes of a host. What is not named stays as it is. */
export const hostFateSchema = Type.Object(
  {
    node: Type.String(),
    /** False: it dies at once, with its containers and tasks. True: it is back, and starts what is to start with it. */
    online: Type.Optional(Type.Boolean()),
    maintenance: Type.Optional(Type.Boolean()),
    /** Memory that it uses itself, its containers apart; counts where it has a size of its own. */
    ownMemoryBytes: Type.Optional(Type.Integer({ minimum: 0 })),
    /** Others use so much of a storage, as this host sees it; counts where that has a size of its own. */
    filled: Type.Optional(Type.Object({ storage: Type.String(), bytes: Type.Integer({ minimum: 0 }) })),
  },
  { additionalProperties: false },
);
export type HostFate = Static<typeof hostFateSchema>;

export interface HostFateDependencies {
  readonly emulation: Emulation;
  readonly tasks: TaskList;
  readonly servers: HostServers;
}

/** Lets something befall a host. Throws what `pve` says of one that is not there. */
export async function befallHost(deps: HostFateDependencies, fate: HostFate): Promise<void> {
  const { emulation } = deps;
  const { cluster } = emulation;
  const host = cluster.find(fate.node);
  if (!host) throw ApiError.died(`no such cluster node '${fate.node}'`);
  if (fate.maintenance !== undefined) host.maintenance = fate.maintenance;
  if (fate.ownMemoryBytes !== undefined) host.ownMemoryBytes = fate.ownMemoryBytes;
  if (fate.filled) {
    cluster.fill(requireStorageOn(cluster, fate.filled.storage, host.name), host.name, fate.filled.bytes);
  }
  if (fate.online === false && host.online) await die(deps, host);
  if (fate.online === true && !host.online) await comeBack(deps, host);
}

async function die({ emulation, tasks, servers }: HostFateDependencies, host: ClusterNode): Promise<void> {
  host.online = false;
  await servers.takeDown(host.name);
  await tasks.killAll(host.name);
  const { store, backend, report } = onNode(emulation, host.name);
  await Promise.all(store.all().map(({ vmid }) => (backend.running(vmid) ? backend.kill(vmid) : undefined)));
  report(`the host ${host.name} is down`);
}

async function comeBack({ emulation, servers }: HostFateDependencies, host: ClusterNode): Promise<void> {
  host.online = true;
  await servers.bringUp(host.name);
  const here = onNode(emulation, host.name);
  const caller = { userid: "root@pam", id: "root@pam" };
  for (const { vmid, values } of here.store.all()) {
    if (values.onboot === "1" && values.lock === undefined) await startStart(here, vmid, caller);
  }
  here.report(`the host ${host.name} is back`);
}
