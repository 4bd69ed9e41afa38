import { createReadStream } from "node:fs";
import { chown, mkdir, readdir, rename } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { SerialQueue, systemClock } from "@berth/base";
import { exists } from "../process/container-files.ts";
import { discard } from "../trash.ts";
import { run } from "./command.ts";
import { asContainerRoot, type IdRange } from "./id-range.ts";
import { LayerCache } from "./layer-cache.ts";

export interface LayersOptions {
  readonly dataDir: string;
  /** For layers that other data folders have too. */
  readonly cacheDir: string;
  readonly ids: IdRange;
}

export interface LayerRecipe {
  readonly id: string;
  /** Fills an empty folder, which belongs to the containers' root. */
  readonly fill: (folder: string) => Promise<void>;
  /** Its id says all of what is in it: other data folders may have it too. */
  readonly shared: boolean;
}

export interface UnpackOptions {
  /** Bound of the speed at which the archive is read. */
  readonly bytesPerSecond?: number;
  readonly signal?: AbortSignal;
}

/**
 * Folder trees that many disks share. Each is made once and never changes; its files belong to the containers' ids. A
 * disk is a stack of them with the container's own changes on top.
 */
export class Layers {
  readonly #dataDir: string;
  readonly #ids: IdRange;
  readonly #cache: LayerCache;
  readonly #makes = new SerialQueue();
  /** Being made, or made and not yet in any disk's record. */
  readonly #held = new Set<string>();

  constructor({ dataDir, cacheDir, ids }: LayersOptions) {
    this.#dataDir = dataDir;
    this.#ids = ids;
    this.#cache = new LayerCache(cacheDir, ids);
  }

  path(id: string): string {
    return join(this.#dataDir, "layers", id);
  }

  /**
   * Makes a layer unless it is there, and keeps it for the time of `use`, which gives it to a disk.
   */
  async with<T>({ id, fill, shared }: LayerRecipe, use: () => Promise<T>): Promise<T> {
    this.#held.add(id);
    try {
      await this.#makes.run(() => this.#make(id, shared ? this.#fromCache(id, fill) : fill));
      return await use();
    } finally {
      this.#held.delete(id);
    }
  }

  /** Removes the layers that are not among these, and what a crash left half made. */
  async collect(used: ReadonlySet<string>): Promise<void> {
    for (const name of await readdir(join(this.#dataDir, "layers")).catch(() => [])) {
      const id = name.replace(/\.new$/, "");
      if (this.#held.has(id) || (used.has(id) && id === name)) continue;
      await discard(this.#dataDir, this.path(name));
    }
  }

  #fromCache(id: string, fill: LayerRecipe["fill"]): LayerRecipe["fill"] {
    return async (folder) => {
      if (await this.#cache.fetch(id, folder)) return;
      await fill(folder);
      await this.#cache.store(id, folder);
    };
  }

  /** Bytes of all files of a layer. */
  async bytes(id: string): Promise<number> {
    const [bytes] = (await run("du", ["-sb", this.path(id)])).split("\t");
    return Number(bytes);
  }

  async #make(id: string, fill: (folder: string) => Promise<void>): Promise<void> {
    const path = this.path(id);
    if (await exists(path)) return;
    const draft = `${path}.new`;
    await discard(this.#dataDir, draft);
    await mkdir(draft, { recursive: true, mode: 0o755 });
    await chown(draft, this.#ids.first, this.#ids.first);
    await fill(draft);
    await rename(draft, path);
  }

  /**
   * Unpacks an archive of a root file system, of any compression that zstd reads, as the containers' root, who owns
   * what it unpacks and can do no harm beyond the folder. Devices are left out: LXC provides them.
   */
  async unpack(folder: string, archive: string, options: UnpackOptions = {}): Promise<void> {
    const { bytesPerSecond, signal } = options;
    const stream = createReadStream(archive);
    const input = bytesPerSecond === undefined ? stream : Readable.from(paced(stream, bytesPerSecond, signal));
    const tar = ["tar", "-x", "-p", "--numeric-owner", "--xattrs", "--xattrs-include=*"];
    const exclusions = ["--exclude=./dev/*", "--exclude=dev/*", "-f", "-"];
    const words = [...asContainerRoot(this.#ids), "/usr/bin/env", "PATH=/usr/bin:/bin", ...tar, ...exclusions];
    await run("sh", ["-c", 'zstd -dcfq | PATH=/usr/sbin:/sbin "$@"', "sh", ...words], {
      cwd: folder,
      input,
      ...(signal ? { signal } : {}),
    });
  }
}

async function* paced(stream: Readable, bytesPerSecond: number, signal?: AbortSignal): AsyncGenerator<Buffer> {
  for await (const chunk of stream) {
    const bytes = Buffer.from(chunk);
    await systemClock.sleep((bytes.byteLength / bytesPerSecond) * 1000, signal);
    yield bytes;
  }
}
