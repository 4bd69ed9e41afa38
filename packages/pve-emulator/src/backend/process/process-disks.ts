import { readdir, statfs } from "node:fs/promises";
import { join } from "node:path";
import { systemClock } from "@berth/base";
import { findPayload, type PayloadSources } from "@berth/template";
import { Interrupted } from "../../tasks/task.ts";
import type { ContainerDisks, CopyOptions, StorageSpace } from "../backend.ts";
import { ContainerFiles, copyFolder, folderBytes, renewIdentity } from "./container-files.ts";
import { buildTemplateRoot } from "./template-root.ts";

/** What a disk of a real container would hold beside its own files: the programs that are the machine's own here. */
const borrowedBytes = 128 * 1024 * 1024;

export interface ProcessDisksOptions {
  readonly dataDir: string;
  /** The secret of the controller's token, from which the bootstrap keys are derived. */
  readonly tokenSecret: string;
  readonly payload?: PayloadSources;
}

/** Disks that are folders. */
export class ProcessDisks implements ContainerDisks {
  readonly #options: ProcessDisksOptions;

  constructor(options: ProcessDisksOptions) {
    this.#options = options;
  }

  async buildTemplate(vmid: number): Promise<boolean> {
    const payload = await findPayload(this.#options.payload);
    return buildTemplateRoot(this.#files(vmid), payload, this.#options.tokenSecret);
  }

  async templateFacts(): Promise<undefined> {}

  async copy(source: number, snapshot: string | undefined, target: number, options: CopyOptions): Promise<void> {
    const from = this.#files(source);
    const to = this.#files(target);
    const bytes = await this.usedBytes(source);
    await throttle(bytes, options);
    await copyFolder(snapshot === undefined ? from.root : from.snapshot(snapshot), to.root);
    await renewIdentity(to.root);
    if (!options.linked) options.log(`Total bytes sent: ${bytes}`);
  }

  async extract(): Promise<void> {
    throw new Error("containers of processes have no root file system, so none can be made from an archive");
  }

  /** A folder is copied for every clone: there is nothing to share, and so nothing to convert. */
  async convertToTemplate(): Promise<void> {}

  /** A folder has no size of its own: what the configuration says stays a promise. */
  async grow(): Promise<void> {}

  async remove(vmid: number): Promise<void> {
    const files = this.#files(vmid);
    for (const path of [files.root, `${files.root}.new`, join(files.folder, "snapshots")]) await files.discard(path);
  }

  async usedBytes(vmid: number): Promise<number> {
    return borrowedBytes + (await folderBytes(this.#files(vmid).root));
  }

  async snapshots(vmid: number): Promise<readonly string[]> {
    return readdir(join(this.#files(vmid).folder, "snapshots")).catch(() => []);
  }

  async createSnapshot(vmid: number, name: string): Promise<void> {
    const files = this.#files(vmid);
    await files.replace(files.snapshot(name), files.root);
  }

  async removeSnapshot(vmid: number, name: string): Promise<void> {
    const files = this.#files(vmid);
    await files.discard(files.snapshot(name));
  }

  async rollBack(vmid: number, name: string): Promise<void> {
    const files = this.#files(vmid);
    await files.replace(files.root, files.snapshot(name));
  }

  async space(): Promise<StorageSpace> {
    const { blocks, bavail, bsize } = await statfs(this.#options.dataDir);
    return { totalBytes: blocks * bsize, availableBytes: bavail * bsize };
  }

  #files(vmid: number): ContainerFiles {
    return new ContainerFiles(this.#options.dataDir, vmid);
  }
}

/** Waits for as long as a copy of so many bytes takes at the speed asked for. */
async function throttle(bytes: number, options: CopyOptions): Promise<void> {
  if (options.signal.aborted) throw new Interrupted();
  if (!options.bytesPerSecond) return;
  try {
    await systemClock.sleep((bytes / options.bytesPerSecond) * 1000, options.signal);
  } catch {
    throw new Interrupted();
  }
}
