import type { TemplateFacts } from "@berth/template";

/** What containers are: real ones, or processes of this machine. */
export type BackendKind = "lxc" | "process";

/** A raw key of a container's configuration, such as `lxc.environment` and its value. */
export type RawLxcKey = [key: string, value: string];

/** A container that runs. */
export interface RunningContainer {
  /** Of the container's init, as the machine sees it. */
  readonly pid: number;
  /** Milliseconds since the Unix epoch. */
  readonly startedAtMs: number;
}

/** What a running container uses. */
export interface ContainerUsage {
  readonly memoryBytes: number;
  /** 1 is one core, fully used. */
  readonly cores: number;
}

/** One address of a container. */
export interface ContainerAddress {
  readonly address: string;
  readonly family: "inet" | "inet6";
  /** Bits of the network's part. */
  readonly prefix: number;
}

/** A network interface as it is inside a running container. */
export interface ContainerInterface {
  readonly name: string;
  readonly mac: string;
  readonly addresses: readonly ContainerAddress[];
}

/** A network card of a container's configuration. */
export interface NetworkCard {
  readonly name: string;
  readonly mac: string;
  /** `dhcp`, `manual`, or an address with its prefix. */
  readonly ip?: string;
  /** `auto`, `dhcp`, `manual`, or an address with its prefix. */
  readonly ip6?: string;
  readonly gateway?: string;
  readonly gateway6?: string;
}

/** What a container may use of the machine. */
export interface ResourceLimits {
  readonly memoryMiB: number;
  /** Beside the memory. */
  readonly swapMiB: number;
  /** Undefined: as many as the machine has. */
  readonly cores: number | undefined;
}

/** What a container's configuration says about its start. */
export interface StartSettings {
  readonly hostname: string;
  readonly limits: ResourceLimits;
  /** Lets it run containers of its own. */
  readonly nesting: boolean;
  /** Raw keys of its configuration. */
  readonly rawKeys: readonly RawLxcKey[];
  readonly cards: readonly NetworkCard[];
  /** Undefined: those of the network. */
  readonly nameservers: readonly string[] | undefined;
  readonly searchDomain: string | undefined;
  /** Tells the task what went wrong in more than its one line. */
  log?(line: string): void;
}

export interface CopyOptions {
  /** A linked clone shares the source's disk where the backend can. */
  readonly linked: boolean;
  /** Bound of the copy's speed. */
  readonly bytesPerSecond?: number;
  readonly signal: AbortSignal;
  log(line: string): void;
}

/** A fresh container's disk, made from an archive. */
export interface ExtractOptions {
  /** The size that its root file system gets. */
  readonly diskBytes: number;
  readonly hostname: string;
  /** Public keys that root may sign in with, one a line; undefined: none. */
  readonly authorizedKeys: string | undefined;
  /** Root's password; undefined: it has none. */
  readonly rootPassword: string | undefined;
  /** Bound of the speed at which the archive is read. */
  readonly bytesPerSecond?: number;
  readonly signal: AbortSignal;
  log(line: string): void;
}

/** A service of the machine that containers find at the same TCP port of `hostAddress`, wherever it listens. */
export interface MachineService {
  readonly port: number;
  /** IPv4; the machine's loopback for one. */
  readonly address: string;
}

/** Why a container ended without having been told to by the API. */
export type EndReason = "stopped" | "reboot";

/** Space of the storage that holds the containers' disks. */
export interface StorageSpace {
  readonly totalBytes: number;
  readonly availableBytes: number;
}

/** The containers' disks, by vmid. Calls about one container never overlap. */
export interface ContainerDisks {
  /** Makes the template's disk if there is none, or if what it is made from has changed. Answers whether it did. */
  buildTemplate(vmid: number): Promise<boolean>;
  /** What the template's disk says of its contents; undefined where it says nothing. */
  templateFacts(vmid: number): Promise<TemplateFacts | undefined>;
  /** Copies a disk, giving the copy an identity of its own. A half copy is left behind when it fails or is aborted. */
  copy(source: number, snapshot: string | undefined, target: number, options: CopyOptions): Promise<void>;
  /**
   * Makes a container's disk from an archive of a root file system, with SSH host keys of its own. The log tells what
   * Proxmox VE's does, from `Total bytes read: N (…)` on: `Detected container architecture: amd64`, and for each key
   * `Creating SSH host key 'ssh_host_ed25519_key' - this may take some time ...` and `done: SHA256:… root@HOSTNAME`.
   * Half a disk is left behind when it fails or is aborted. Throws an error of one sentence where the backend has no
   * root file systems.
   */
  extract(vmid: number, archive: string, options: ExtractOptions): Promise<void>;
  /** Makes a stopped container's disk one that linked clones share; nothing changes it any more. */
  convertToTemplate(vmid: number): Promise<void>;
  /** Gives a container's disk this size, larger than before; it may run. */
  grow(vmid: number, diskBytes: number): Promise<void>;
  /** Removes a container's disk and snapshots; there may be none. */
  remove(vmid: number): Promise<void>;
  /** Bytes that a container's disk uses. */
  usedBytes(vmid: number): Promise<number>;
  /** Names of the snapshots on disk, half-made ones included. */
  snapshots(vmid: number): Promise<readonly string[]>;
  createSnapshot(vmid: number, name: string): Promise<void>;
  removeSnapshot(vmid: number, name: string): Promise<void>;
  /** Puts a snapshot in the place of the disk, of a container that is stopped. */
  rollBack(vmid: number, name: string): Promise<void>;
  space(): Promise<StorageSpace>;
}

/**
 * Runs containers. The emulator's core knows their configurations, locks and tasks; a backend knows their disks and
 * processes, by vmid, and keeps what it must remember of them on disk by itself. Calls about one container never
 * overlap, but for `kill`, `shutdown` and everything that only looks.
 */
export interface ContainerBackend extends AsyncDisposable {
  /** What containers are. */
  readonly kind: BackendKind;
  /** The machine as containers see it. */
  readonly hostAddress: string;
  /** Raw keys that a template of this backend carries, and every clone of it. */
  readonly templateKeys: readonly RawLxcKey[];
  readonly disks: ContainerDisks;

  /**
   * Takes over the containers that an earlier emulator left running, and ends what is left of containers that are not
   * among these.
   */
  adopt(vmids: readonly number[]): Promise<void>;
  /** Starts a stopped container; resolves when its init runs, as the task of Proxmox VE does. */
  start(vmid: number, settings: StartSettings): Promise<void>;
  /**
   * Gives a running container other limits, without a restart; one that is stopped gets them when it starts. May
   * overlap with every other call. Throws when a limit cannot be had, as when less memory is wanted than is in use.
   */
  applyLimits(vmid: number, limits: ResourceLimits): Promise<void>;
  /** Asks a container to shut down. False when it still runs after this time, or when the wait was aborted. */
  shutdown(vmid: number, timeoutMs: number, signal?: AbortSignal): Promise<boolean>;
  /** Ends a container at once, with all that runs in it. */
  kill(vmid: number): Promise<void>;
  /** Forgets what is kept of a container that is being deleted, such as its address. */
  forget(vmid: number): Promise<void>;

  /**
   * Names the TCP ports of `hostAddress` that containers may reach, and no others, where the backend can hold it; and
   * services elsewhere on the machine that they find there too.
   */
  allowMachinePorts(ports: readonly number[], services: readonly MachineService[]): Promise<void>;

  /** Lets go of the containers without stopping them: for an emulator whose own start failed. */
  leave(): void;

  running(vmid: number): RunningContainer | undefined;
  usage(vmid: number): Promise<ContainerUsage>;
  interfaces(vmid: number, cards: readonly NetworkCard[]): Promise<readonly ContainerInterface[]>;
  /** Who is told when a container ends by itself. */
  onEnd: ((vmid: number, reason: EndReason) => void) | undefined;
}
