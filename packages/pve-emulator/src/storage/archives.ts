import { randomBytes } from "node:crypto";
import { constants, copyFile, link, mkdir, readdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { isErrno } from "@berth/base/node";
import { Interrupted, type TaskContext } from "../tasks/task.ts";
import type { Appliance } from "./appliance.ts";

/** The storage that holds archives of root file systems; every Proxmox VE has one of this name. */
export const archiveStorage = "local";

/**
 * Gets the archive of a plain Debian, from a cache or by making it; answers its path. Others may use that file at the
 * same time: it is never written again.
 */
export type BaseArchive = (options: {
  /** One line of progress. */
  report(line: string): void;
  readonly signal: AbortSignal;
}) => Promise<string>;

/** An archive on the storage. */
export interface Archive {
  readonly name: string;
  readonly path: string;
  readonly sizeBytes: number;
  /** Unix time in seconds. */
  readonly createdAt: number;
  /** As PVE names it: `tzst`, `tgz`, …. */
  readonly format: string;
}

const namePattern = /^[^/]+\.tar\.(gz|xz|zst|bz2)$/;

/** Archives of root file systems that containers are made from. */
export class Archives {
  readonly #folder: string;
  readonly #base: BaseArchive | undefined;

  private constructor(folder: string, base: BaseArchive | undefined) {
    this.#folder = folder;
    this.#base = base;
  }

  /** `base` is undefined where containers have no root file systems of their own. */
  static async open(dataDir: string, base: BaseArchive | undefined): Promise<Archives> {
    const folder = join(dataDir, archiveStorage, "template", "cache");
    await mkdir(folder, { recursive: true, mode: 0o700 });
    // What a crash left of a download.
    for (const name of await readdir(folder)) {
      if (!namePattern.test(name)) await rm(join(folder, name), { recursive: true, force: true });
    }
    return new Archives(folder, base);
  }

  /** Where an archive of this name is, or would be; undefined for what is no name of an archive. */
  pathOf(name: string): string | undefined {
    return namePattern.test(name) ? join(this.#folder, name) : undefined;
  }

  /** The archives by name. */
  async list(): Promise<Archive[]> {
    const found: Archive[] = [];
    for (const name of (await readdir(this.#folder)).sort()) {
      const archive = await this.find(name);
      if (archive) found.push(archive);
    }
    return found;
  }

  async find(name: string): Promise<Archive | undefined> {
    const path = this.pathOf(name);
    if (path === undefined) return undefined;
    try {
      const { size, mtimeMs } = await stat(path);
      const format = `t${namePattern.exec(name)?.[1] ?? ""}`;
      return { name, path, sizeBytes: size, createdAt: Math.floor(mtimeMs / 1000), format };
    } catch (error) {
      if (isErrno(error, "ENOENT")) return undefined;
      throw error;
    }
  }

  /** Gets an archive, as a task. One that is there already is not got again. */
  async download({ template, location }: Appliance, { log, signal }: TaskContext): Promise<void> {
    const path = join(this.#folder, template);
    log(`downloading ${location} to ${path}`);
    if (await this.find(template)) {
      log("got correct file already, no need to download");
      return;
    }
    if (!this.#base) {
      throw new Error("this Proxmox runs containers as processes, which no archive is good for: use --backend lxc");
    }
    const partial = `${path}.${randomBytes(4).toString("hex")}.part`;
    try {
      const made = await this.#base({ report: log, signal });
      await linkOrCopy(made, partial);
      if (signal.aborted) throw new Interrupted();
      await rename(partial, path);
    } catch (error) {
      await rm(partial, { force: true });
      throw signal.aborted ? new Interrupted() : error;
    }
    log(`download of '${location}' to '${path}' finished`);
  }

  async remove(name: string): Promise<void> {
    await rm(join(this.#folder, name), { force: true });
  }
}

async function linkOrCopy(source: string, target: string): Promise<void> {
  try {
    await link(source, target);
  } catch {
    // Another file system, or one without hard links.
    await copyFile(source, target, constants.COPYFILE_FICLONE);
  }
}
