import { join } from "node:path";
import { SerialQueue } from "@berth/base";
import Type, { type Static } from "typebox";
import { loadOrCreate, saveJson } from "../state/json-file.ts";

const poolSchema = Type.Object({
  comment: Type.Optional(Type.String()),
  vms: Type.Array(Type.Integer()),
  storages: Type.Array(Type.String()),
});
/** A pool and its members. */
export type Pool = Static<typeof poolSchema>;

const poolsSchema = Type.Record(Type.String(), poolSchema);
type Pools = Static<typeof poolsSchema>;

/** The pools, in memory and in one file. */
export class PoolStore {
  readonly #path: string;
  readonly #pools: Pools;
  readonly #writes = new SerialQueue();

  private constructor(path: string, pools: Pools) {
    this.#path = path;
    this.#pools = pools;
  }

  static async open(dataDir: string, firstPool: string): Promise<PoolStore> {
    const path = join(dataDir, "pools.json");
    return new PoolStore(
      path,
      await loadOrCreate(path, poolsSchema, () => ({ [firstPool]: { vms: [], storages: [] } })),
    );
  }

  all(): [id: string, pool: Pool][] {
    return Object.entries(this.#pools).sort(([a], [b]) => (a < b ? -1 : 1));
  }

  get(id: string): Pool | undefined {
    return Object.hasOwn(this.#pools, id) ? this.#pools[id] : undefined;
  }

  /** The pool that a container is in. */
  poolOf(vmid: number): string | undefined {
    return this.all().find(([, pool]) => pool.vms.includes(vmid))?.[0];
  }

  async add(id: string, comment: string | undefined): Promise<void> {
    this.#pools[id] = { ...(comment === undefined ? {} : { comment }), vms: [], storages: [] };
    await this.save();
  }

  async remove(id: string): Promise<void> {
    delete this.#pools[id];
    await this.save();
  }

  /** Puts a container into a pool, out of any other. */
  async join(id: string, vmid: number): Promise<void> {
    this.#dropMember(vmid);
    this.get(id)?.vms.push(vmid);
    await this.save();
  }

  /** Takes a container out of its pool. */
  async leave(vmid: number): Promise<void> {
    if (this.#dropMember(vmid)) await this.save();
  }

  /** Writes pools that were changed in memory. */
  save(): Promise<void> {
    return this.#writes.run(() => saveJson(this.#path, this.#pools));
  }

  #dropMember(vmid: number): boolean {
    let found = false;
    for (const pool of Object.values(this.#pools)) {
      found ||= pool.vms.includes(vmid);
      pool.vms = pool.vms.filter((member) => member !== vmid);
    }
    return found;
  }
}
