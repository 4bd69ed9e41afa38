import { mkdir, readdir, statfs } from "node:fs/promises";
import { join } from "node:path";
import { systemClock } from "@berth/base";
import { readTextIfExists } from "@berth/base/node";
import { parseJson } from "@berth/protocol";
import { type TemplateFacts, templateFactsSchema, templatePaths } from "@berth/template";
import { Value } from "typebox/value";
import { Interrupted } from "../../tasks/task.ts";
import type { ContainerDisks, CopyOptions, ExtractOptions, StorageSpace } from "../backend.ts";
import { discard } from "../trash.ts";
import { run } from "./command.ts";
import { ContainerPaths } from "./container-paths.ts";
import { copyImage, growImage, growMountedImage, imageBytes, makeImage, untilDetached } from "./disk-image.ts";
import { type DiskRecord, DiskRecords, newIdentity } from "./disk-record.ts";
import { archiveLayerId, extractionFiles } from "./extraction.ts";
import { copyChanges } from "./flatten.ts";
import { packGuestFiles } from "./guest-files.ts";
import type { IdRange } from "./id-range.ts";
import { Layers } from "./layers.ts";
import { inMountedDisk, mountedImage } from "./start-script.ts";
import { type TemplateSources, templateLayers } from "./template-layers.ts";

/** The size of the bundled template's disk, which its clones begin with. */
const templateBytes = 2 * 1024 ** 3;

export interface LxcDisksOptions {
  readonly dataDir: string;
  /** For what many data folders have in common. */
  readonly cacheDir: string;
  readonly ids: IdRange;
  readonly template: TemplateSources;
  readonly report: (line: string) => void;
}

/** Disks that are stacks of layers, with an image of the container's own changes on top. */
export class LxcDisks implements ContainerDisks {
  /** The monitor of a container that runs: its mount namespace has the disk. */
  monitorOf: (vmid: number) => number | undefined = () => undefined;

  readonly #options: LxcDisksOptions;
  readonly #dataDir: string;
  readonly #layers: Layers;
  readonly #records: DiskRecords;

  constructor(options: LxcDisksOptions) {
    this.#options = options;
    this.#dataDir = options.dataDir;
    this.#layers = new Layers(options);
    this.#records = new DiskRecords(options.dataDir);
  }

  /** Reads what earlier runs left, and removes what nothing refers to. */
  async load(): Promise<void> {
    await this.#records.load();
    await this.#collect();
  }

  record(vmid: number): DiskRecord {
    return this.#records.require(vmid);
  }

  layerPath(id: string): string {
    return this.#layers.path(id);
  }

  async buildTemplate(vmid: number): Promise<boolean> {
    const { template, ids, report } = this.#options;
    const known = this.#records.find(vmid)?.layers;
    const changed = await templateLayers(this.#layers, { ...template, ids, report }, async (layers) => {
      if (known && known.join() === layers.join()) return false;
      await mkdir(this.#paths(vmid).folder, { recursive: true, mode: 0o700 });
      await this.#records.set(vmid, { layers: [...layers], diskBytes: templateBytes, identity: newIdentity() });
      return true;
    });
    if (changed) await this.#collect();
    return changed;
  }

  async templateFacts(vmid: number): Promise<TemplateFacts | undefined> {
    for (const layer of this.record(vmid).layers) {
      const text = await readTextIfExists(join(this.#layers.path(layer), templatePaths.facts));
      const facts = text === undefined ? undefined : parseJson(text);
      if (Value.Check(templateFactsSchema, facts)) return facts;
    }
    return undefined;
  }

  async copy(source: number, snapshot: string | undefined, target: number, options: CopyOptions): Promise<void> {
    const { layers, diskBytes } = this.record(source);
    const [from, to] = [this.#paths(source), this.#paths(target)];
    const image = snapshot === undefined ? from.image : from.snapshot(snapshot);
    const bytes = await imageBytes(image);
    await throttle(Math.max(bytes, leastBytes), options);
    await this.#records.set(target, { layers, diskBytes, identity: newIdentity() });
    try {
      if (bytes === 0) await makeImage(to.image, diskBytes);
      else await copyImage(this.#dataDir, image, to.image, options.signal);
    } catch (error) {
      throw options.signal.aborted ? new Interrupted() : error;
    }
    if (!options.linked) options.log(`Total bytes sent: ${bytes}`);
  }

  async extract(vmid: number, archive: string, options: ExtractOptions): Promise<void> {
    const { ids } = this.#options;
    const { image } = this.#paths(vmid);
    const layer = await archiveLayerId(archive);
    const fill = (folder: string) => this.#layers.unpack(folder, archive, options);
    try {
      await this.#layers.with({ id: layer, fill, shared: true }, async () => {
        const identity = newIdentity();
        await this.#records.set(vmid, { layers: [layer], diskBytes: options.diskBytes, identity });
        await makeImage(image, options.diskBytes);
        const files = await extractionFiles(await this.#layers.bytes(layer), options);
        const layers = [this.#layers.path(layer)];
        const words = inMountedDisk({ image, layers, ids, identity }, "");
        await run("unshare", words, { input: packGuestFiles(files), signal: options.signal });
        await untilDetached(image);
      });
    } catch (error) {
      throw options.signal.aborted ? new Interrupted() : error;
    }
  }

  async convertToTemplate(vmid: number): Promise<void> {
    const record = this.record(vmid);
    const { image } = this.#paths(vmid);
    const layer = `template-${newIdentity()}`;
    const fill = async (folder: string) => {
      await copyChanges(image, folder);
      await untilDetached(image);
    };
    await this.#layers.with({ id: layer, fill, shared: false }, () =>
      this.#records.set(vmid, { ...record, layers: [layer, ...record.layers] }),
    );
    await discard(this.#dataDir, image);
  }

  async grow(vmid: number, diskBytes: number): Promise<void> {
    await this.#records.set(vmid, { ...this.record(vmid), diskBytes });
    const monitor = this.monitorOf(vmid);
    // One that does not run grows when it starts.
    if (monitor === undefined) return;
    try {
      await growMountedImage(this.#paths(vmid).image, diskBytes, monitor);
    } catch (error) {
      this.#options.report(`the disk of container ${vmid} grows when it is started next: ${String(error)}`);
    }
  }

  /** Gives a stopped container's disk the size that it is to have. */
  async settleSize(vmid: number): Promise<void> {
    await growImage(this.#paths(vmid).image, this.record(vmid).diskBytes);
  }

  async remove(vmid: number): Promise<void> {
    const paths = this.#paths(vmid);
    this.#records.delete(vmid);
    for (const path of [paths.record, paths.image, `${paths.image}.new`, paths.snapshots]) {
      await discard(this.#dataDir, path);
    }
    await this.#collect();
  }

  async usedBytes(vmid: number): Promise<number> {
    return imageBytes(this.#paths(vmid).image);
  }

  async snapshots(vmid: number): Promise<readonly string[]> {
    const names = await readdir(this.#paths(vmid).snapshots).catch(() => []);
    return [...new Set(names.map((name) => name.replace(/\.img(?:\.new)?$/, "")))];
  }

  async createSnapshot(vmid: number, name: string): Promise<void> {
    const paths = this.#paths(vmid);
    await mkdir(paths.snapshots, { recursive: true, mode: 0o700 });
    const copy = () => copyImage(this.#dataDir, paths.image, paths.snapshot(name));
    const monitor = this.monitorOf(vmid);
    if (monitor === undefined) return copy();
    const freeze = (word: "-f" | "-u") =>
      run("nsenter", ["-t", String(monitor), "-m", "--", "fsfreeze", word, mountedImage]);
    await freeze("-f");
    try {
      await copy();
    } finally {
      // It may have been killed meanwhile; then there is nothing to thaw.
      await freeze("-u").catch(() => {});
    }
  }

  async removeSnapshot(vmid: number, name: string): Promise<void> {
    const path = this.#paths(vmid).snapshot(name);
    for (const one of [path, `${path}.new`]) await discard(this.#dataDir, one);
  }

  async rollBack(vmid: number, name: string): Promise<void> {
    const paths = this.#paths(vmid);
    await copyImage(this.#dataDir, paths.snapshot(name), paths.image);
  }

  async space(): Promise<StorageSpace> {
    const { blocks, bavail, bsize } = await statfs(this.#dataDir);
    return { totalBytes: blocks * bsize, availableBytes: bavail * bsize };
  }

  #collect(): Promise<void> {
    return this.#layers.collect(this.#records.usedLayers());
  }

  #paths(vmid: number): ContainerPaths {
    return new ContainerPaths(this.#dataDir, vmid);
  }
}

/** What a bound of the speed counts even where next to nothing is copied: a disk's least contents. */
const leastBytes = 64 * 1024 * 1024;

/** Waits for as long as a copy of so many bytes takes at the speed asked for. */
async function throttle(bytes: number, { bytesPerSecond, signal }: CopyOptions): Promise<void> {
  if (signal.aborted) throw new Interrupted();
  if (!bytesPerSecond) return;
  try {
    await systemClock.sleep((bytes / bytesPerSecond) * 1000, signal);
  } catch {
    throw new Interrupted();
  }
}
