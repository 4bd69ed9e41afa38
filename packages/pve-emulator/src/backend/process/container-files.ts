import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { lstat, mkdir, readdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { guestPaths } from "@berth/protocol";
import { discard } from "../trash.ts";

const run = promisify(execFile);

/** Where one container's things are in the data folder. */
export class ContainerFiles {
  /** The container's own folder; the emulator's core keeps its configuration there too. */
  readonly folder: string;
  readonly root: string;
  /** Written by init: who runs the container. */
  readonly initState: string;
  readonly lease: string;
  readonly #dataDir: string;

  constructor(dataDir: string, vmid: number) {
    this.folder = join(dataDir, "containers", String(vmid));
    this.root = join(this.folder, "rootfs");
    this.initState = join(this.folder, "init.json");
    this.lease = join(this.folder, "lease.json");
    this.#dataDir = dataDir;
  }

  snapshot(name: string): string {
    return join(this.folder, "snapshots", name);
  }

  /** Puts a copy of one folder in the place of another, in one step. */
  async replace(target: string, source: string): Promise<void> {
    const draft = `${target}.new`;
    await rm(draft, { recursive: true, force: true });
    await copyFolder(source, draft);
    await this.install(draft, target);
  }

  /** Moves a finished folder to its place; what was there is thrown away. */
  async install(draft: string, target: string): Promise<void> {
    await this.discard(target);
    await rename(draft, target);
  }

  /** Finishes what a crash interrupted in `install`, when the old folder was gone and the new one not yet there. */
  async repair(): Promise<void> {
    if (!(await exists(this.root)) && (await exists(`${this.root}.new`))) await rename(`${this.root}.new`, this.root);
  }

  /** Removes a folder: first out of sight, in one step, then piece by piece. */
  discard(path: string): Promise<void> {
    return discard(this.#dataDir, path);
  }
}

/** Copies a folder with everything that `cp -a` keeps, sharing blocks where the file system can. */
export async function copyFolder(source: string, target: string): Promise<void> {
  await mkdir(join(target, ".."), { recursive: true });
  await run("cp", ["-a", "--reflink=auto", "-T", "--", source, target]);
}

/** Gives a copied root an identity of its own, and takes away what belongs to a run of the source. */
export async function renewIdentity(root: string): Promise<void> {
  await mkdir(join(root, "etc"), { recursive: true });
  await writeFile(join(root, guestPaths.machineId), `${randomBytes(16).toString("hex")}\n`);
  await rm(join(root, "run"), { recursive: true, force: true });
}

/** Bytes of all files below a folder, symbolic links not followed. */
export async function folderBytes(path: string): Promise<number> {
  let total = 0;
  for (const entry of await readdir(path, { withFileTypes: true }).catch(() => [])) {
    const inner = join(path, entry.name);
    if (entry.isDirectory()) total += await folderBytes(inner);
    else if (entry.isFile()) total += (await lstat(inner).catch(() => undefined))?.size ?? 0;
  }
  return total;
}

export async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch {
    return false;
  }
}
