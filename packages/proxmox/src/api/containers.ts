import type { Proxmox } from "proxmox-api";
import Type, { type Static } from "typebox";
import { answerOf, NumberLike, optionalNumber, readUpid } from "../answer.ts";
import { defined } from "../defined.ts";
import type { CallOptions } from "../transport-options.ts";
import type { Connection } from "./connection.ts";
import {
  type ContainerConfig,
  type ContainerConfigChange,
  configParameters,
  readContainerConfig,
} from "./container-config.ts";
import { type CreateOptions, creationParameters } from "./container-creation.ts";
import { type ContainerAddress, readInterfaces } from "./interfaces.ts";

/** Where a container is. Ask the cluster for the node each time: containers move. */
export interface ContainerRef {
  readonly node: string;
  readonly vmid: number;
}

/** How a clone is made. */
export interface CloneOptions {
  /** The clone's id; taken by this very call, or refused with `exists`. */
  readonly newId: number;
  readonly hostname?: string | undefined;
  readonly description?: string | undefined;
  readonly pool?: string | undefined;
  /** False: linked to the template's disk, where the storage can. Unset: linked for a template. */
  readonly full?: boolean | undefined;
  /** Target storage; full clones only. */
  readonly storage?: string | undefined;
  /** Target node; only if all volumes are on shared storage. */
  readonly target?: string | undefined;
  /** Clone this snapshot instead of the present state. */
  readonly snapshot?: string | undefined;
}

const StatusSchema = Type.Object({
  status: Type.String(),
  name: Type.Optional(Type.String()),
  lock: Type.Optional(Type.String()),
  uptime: Type.Optional(NumberLike),
  cpu: Type.Optional(NumberLike),
  cpus: Type.Optional(NumberLike),
  mem: Type.Optional(NumberLike),
  maxmem: Type.Optional(NumberLike),
  disk: Type.Optional(NumberLike),
  maxdisk: Type.Optional(NumberLike),
});

/** What a container does at this moment. */
export interface ContainerStatus {
  readonly running: boolean;
  readonly name: string | undefined;
  readonly lock: string | undefined;
  readonly uptimeSeconds: number | undefined;
  /** Share of its CPUs in use, 0 to 1. */
  readonly cpu: number | undefined;
  readonly cores: number | undefined;
  readonly memoryBytes: number | undefined;
  readonly maxMemoryBytes: number | undefined;
  readonly diskBytes: number | undefined;
  readonly maxDiskBytes: number | undefined;
}

const readStatus = answerOf(StatusSchema);
const readNothing = answerOf(Type.Unknown());

/**
 * LXC containers. Calls that answer a string answer a task's id: the work has begun, not ended; see `TasksApi.wait`.
 * None of them is ever sent twice.
 */
export class ContainersApi {
  readonly #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** The configuration: with pending changes merged in, or as it is live (`current`). */
  config(at: ContainerRef, options: { current?: boolean } = {}, call?: CallOptions): Promise<ContainerConfig> {
    return this.#connection.ask(call, readContainerConfig, (api) => lxc(api, at).config.$get(options));
  }

  /** Changes the configuration, at once. Does nothing if nothing is to change: PVE refuses an empty change. */
  async configure(at: ContainerRef, change: ContainerConfigChange, call?: CallOptions): Promise<void> {
    const parameters = defined(configParameters(change));
    if (Object.keys(parameters).length === 0) return;
    const guarded = change.digest === undefined ? parameters : { ...parameters, digest: change.digest };
    await this.#connection.ask(call, readNothing, (api) => lxc(api, at).config.$put(guarded));
  }

  /**
   * Begins to make one from an archive; the id is taken at once. The task's log tells the SSH host keys that it made:
   * `done: SHA256:… root@HOSTNAME`.
   */
  create(node: string, options: CreateOptions, call?: CallOptions): Promise<string> {
    const { vmid, osTemplate } = options;
    const parameters = { ...defined(creationParameters(options)), vmid, ostemplate: osTemplate };
    return this.#connection.ask(call, readUpid, (api) => api.nodes.$(node).lxc.$post(parameters));
  }

  /** Begins to clone. The source stays locked (`disk`) until the task ends; the id is taken at once. */
  clone(source: ContainerRef, options: CloneOptions, call?: CallOptions): Promise<string> {
    const { newId, snapshot, ...others } = options;
    const parameters = { ...defined({ ...others, snapname: snapshot }), newid: newId };
    return this.#connection.ask(call, readUpid, (api) => lxc(api, source).clone.$post(parameters));
  }

  /** Begins to start. On a locked container or a template the task fails, not the call. */
  start(at: ContainerRef, call?: CallOptions): Promise<string> {
    return this.#connection.ask(call, readUpid, (api) => lxc(api, at).status.start.$post());
  }

  /** Begins to stop, hard. */
  stop(at: ContainerRef, call?: CallOptions): Promise<string> {
    return this.#connection.ask(call, readUpid, (api) => lxc(api, at).status.stop.$post());
  }

  /** Begins to shut down; after `timeoutSeconds` (60) the task fails, or with `forceStop` stops hard. */
  shutdown(
    at: ContainerRef,
    options: { timeoutSeconds?: number; forceStop?: boolean } = {},
    call?: CallOptions,
  ): Promise<string> {
    const parameters = defined({ timeout: options.timeoutSeconds, forceStop: options.forceStop });
    return this.#connection.ask(call, readUpid, (api) => lxc(api, at).status.shutdown.$post(parameters));
  }

  /** Begins to reboot, which also applies pending changes. */
  reboot(at: ContainerRef, options: { timeoutSeconds?: number } = {}, call?: CallOptions): Promise<string> {
    const parameters = defined({ timeout: options.timeoutSeconds });
    return this.#connection.ask(call, readUpid, (api) => lxc(api, at).status.reboot.$post(parameters));
  }

  /** Begins to destroy it with its disks. `force` stops a running one first; `purge` removes it from jobs and HA. */
  destroy(
    at: ContainerRef,
    options: { force?: boolean; purge?: boolean; unreferencedDisks?: boolean } = {},
    call?: CallOptions,
  ): Promise<string> {
    const parameters = defined({
      force: options.force,
      purge: options.purge,
      "destroy-unreferenced-disks": options.unreferencedDisks,
    });
    return this.#connection.ask(call, readUpid, (api) => lxc(api, at).$delete(parameters));
  }

  /** What it does now. */
  async status(at: ContainerRef, call?: CallOptions): Promise<ContainerStatus> {
    return statusOf(await this.#connection.ask(call, readStatus, (api) => lxc(api, at).status.current.$get()));
  }

  /** Its addresses. Empty when it is stopped, does not exist, or has none yet: 3 to 12 s after the start. */
  addresses(at: ContainerRef, call?: CallOptions): Promise<ContainerAddress[]> {
    return this.#connection.ask(call, readInterfaces, (api) => lxc(api, at).interfaces.$get());
  }

  /** Begins to grow a disk to an absolute size (`16G`) or by some (`+4G`). */
  resize(at: ContainerRef, options: { disk: Proxmox.Tdisk_2; size: string }, call?: CallOptions): Promise<string> {
    return this.#connection.ask(call, readUpid, (api) => lxc(api, at).resize.$put(options));
  }

  /**
   * Begins to make a stopped container without snapshots a template, for good. PVE starts a task and does not tell its
   * id: it is the newest of type `vztemplate` about this container in the node's list, and the configuration says
   * `template` when it has ended well.
   */
  async toTemplate(at: ContainerRef, call?: CallOptions): Promise<void> {
    await this.#connection.ask(call, readNothing, (api) => lxc(api, at).template.$post());
  }
}

function lxc(api: Proxmox.Api, at: ContainerRef) {
  return api.nodes.$(at.node).lxc.$(at.vmid);
}

function statusOf(raw: Static<typeof StatusSchema>): ContainerStatus {
  return {
    running: raw.status === "running",
    name: raw.name,
    lock: raw.lock === "" ? undefined : raw.lock,
    uptimeSeconds: optionalNumber(raw.uptime),
    cpu: optionalNumber(raw.cpu),
    cores: optionalNumber(raw.cpus),
    memoryBytes: optionalNumber(raw.mem),
    maxMemoryBytes: optionalNumber(raw.maxmem),
    diskBytes: optionalNumber(raw.disk),
    maxDiskBytes: optionalNumber(raw.maxdisk),
  };
}
