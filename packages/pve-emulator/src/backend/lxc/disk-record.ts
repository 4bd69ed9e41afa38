import { randomBytes } from "node:crypto";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import Type, { type Static } from "typebox";
import { loadJson, saveJson } from "../../state/json-file.ts";
import { ContainerPaths } from "./container-paths.ts";

const diskRecordSchema = Type.Object({
  /** Ids of the layers, the uppermost first. */
  layers: Type.Array(Type.String()),
  /** Size of the file system that the container writes to. */
  diskBytes: Type.Integer({ minimum: 1 }),
  /** Another one for each copy, so that the first boot of a copy knows that it is one. */
  identity: Type.String({ pattern: "^[0-9a-f]{32}$" }),
});
/** What a container's disk consists of, beside its image. */
export type DiskRecord = Static<typeof diskRecordSchema>;

export const newIdentity = (): string => randomBytes(16).toString("hex");

/** The records of all disks: in memory, each in a file of its own. */
export class DiskRecords {
  readonly #dataDir: string;
  readonly #records = new Map<number, DiskRecord>();

  constructor(dataDir: string) {
    this.#dataDir = dataDir;
  }

  /** Reads what earlier runs left. */
  async load(): Promise<void> {
    for (const name of await readdir(join(this.#dataDir, "containers")).catch(() => [])) {
      const record = await loadJson(new ContainerPaths(this.#dataDir, Number(name)).record, diskRecordSchema);
      if (record) this.#records.set(Number(name), record);
    }
  }

  find(vmid: number): DiskRecord | undefined {
    return this.#records.get(vmid);
  }

  require(vmid: number): DiskRecord {
    const record = this.find(vmid);
    if (!record) throw new Error(`container ${vmid} has no disk`);
    return record;
  }

  /** Remembers a record. Its layers count as used at once. */
  async set(vmid: number, record: DiskRecord): Promise<void> {
    this.#records.set(vmid, record);
    await saveJson(new ContainerPaths(this.#dataDir, vmid).record, record);
  }

  /** Forgets a record; its file is the caller's to remove. */
  delete(vmid: number): void {
    this.#records.delete(vmid);
  }

  /** Ids of all layers that a disk consists of. */
  usedLayers(): Set<string> {
    return new Set([...this.#records.values()].flatMap(({ layers }) => layers));
  }
}
