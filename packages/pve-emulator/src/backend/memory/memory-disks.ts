import { randomBytes } from "node:crypto";
import type { Clock } from "@berth/base";
import { bundledTemplateKeys, sshKeyPair } from "@berth/base/node";
import { guestPaths } from "@berth/protocol";
import { Interrupted } from "../../tasks/task.ts";
import type { ContainerDisks, CopyOptions, ExtractOptions, StorageSpace } from "../backend.ts";

/** A root file system: texts by path. */
export type MemoryRoot = Map<string, string>;

const gibibyte = 1024 ** 3;

/** How long disk work takes, in milliseconds of the clock. */
const times = { copyMs: 300, removeMs: 100, snapshotMs: 200 } as const;

/** Disks that are maps. */
export class MemoryDisks implements ContainerDisks {
  readonly #clock: Clock;
  readonly #tokenSecret: string;
  readonly #roots = new Map<number, MemoryRoot>();
  readonly #snapshots = new Map<number, Map<string, MemoryRoot>>();

  constructor(clock: Clock, tokenSecret: string) {
    this.#clock = clock;
    this.#tokenSecret = tokenSecret;
  }

  /** The root of a container. Throws if it has none: half a container does not start. */
  root(vmid: number): MemoryRoot {
    const root = this.#roots.get(vmid);
    if (!root) throw new Error(`the container ${vmid} has no disk`);
    return root;
  }

  async buildTemplate(vmid: number): Promise<boolean> {
    if (this.#roots.has(vmid)) return false;
    const { host, client } = bundledTemplateKeys(this.#tokenSecret);
    const root: MemoryRoot = new Map([
      [guestPaths.sshHostKey, host.privateKey],
      [guestPaths.authorizedKeys, `${client.publicKey}\n`],
    ]);
    this.#roots.set(vmid, withOwnIdentity(root));
    return true;
  }

  async templateFacts(): Promise<undefined> {}

  async copy(source: number, snapshot: string | undefined, target: number, options: CopyOptions): Promise<void> {
    const from = snapshot === undefined ? this.#roots.get(source) : this.#snapshots.get(source)?.get(snapshot);
    if (!from) throw new Error(`the container ${source} has no such disk`);
    await this.#clock.sleep(times.copyMs, options.signal).catch(() => {});
    if (options.signal.aborted) throw new Interrupted();
    this.#roots.set(target, withOwnIdentity(from));
  }

  /** Every archive is a plain Debian: what an SSH server needs, and nothing else. */
  async extract(vmid: number, _archive: string, options: ExtractOptions): Promise<void> {
    const { hostname, authorizedKeys = "", signal, log } = options;
    await this.#clock.sleep(times.copyMs, signal).catch(() => {});
    if (signal.aborted) throw new Interrupted();
    const name = guestPaths.sshHostKey.replace(/^.*\//, "");
    const { privateKey, fingerprint } = sshKeyPair(randomBytes(32), `root@${hostname}`);
    log(`Creating SSH host key '${name}' - this may take some time ...`);
    log(`done: ${fingerprint} root@${hostname}`);
    const root: MemoryRoot = new Map([
      [guestPaths.sshHostKey, privateKey],
      ["root/.ssh/authorized_keys", authorizedKeys],
    ]);
    this.#roots.set(vmid, withOwnIdentity(root));
  }

  async convertToTemplate(): Promise<void> {}

  async grow(): Promise<void> {}

  async remove(vmid: number): Promise<void> {
    if (this.#roots.has(vmid)) await this.#clock.sleep(times.removeMs);
    this.#roots.delete(vmid);
    this.#snapshots.delete(vmid);
  }

  async usedBytes(): Promise<number> {
    return gibibyte;
  }

  /** Containers that have a disk, or snapshots of one. */
  vmids(): readonly number[] {
    return [...new Set([...this.#roots.keys(), ...this.#snapshots.keys()])];
  }

  async snapshots(vmid: number): Promise<readonly string[]> {
    return [...(this.#snapshots.get(vmid)?.keys() ?? [])];
  }

  async createSnapshot(vmid: number, name: string): Promise<void> {
    await this.#clock.sleep(times.snapshotMs);
    const own = this.#snapshots.get(vmid) ?? new Map<string, MemoryRoot>();
    this.#snapshots.set(vmid, own.set(name, new Map(this.root(vmid))));
  }

  async removeSnapshot(vmid: number, name: string): Promise<void> {
    this.#snapshots.get(vmid)?.delete(name);
  }

  async rollBack(vmid: number, name: string): Promise<void> {
    const snapshot = this.#snapshots.get(vmid)?.get(name);
    if (!snapshot) throw new Error(`the container ${vmid} has no snapshot ${name}`);
    await this.#clock.sleep(times.snapshotMs);
    this.#roots.set(vmid, new Map(snapshot));
  }

  async space(): Promise<StorageSpace> {
    return { totalBytes: 1000 * gibibyte, availableBytes: 500 * gibibyte };
  }
}

function withOwnIdentity(root: MemoryRoot): MemoryRoot {
  return new Map(root).set(guestPaths.machineId, `${randomBytes(16).toString("hex")}\n`);
}
