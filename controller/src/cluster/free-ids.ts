import { SerialQueue } from "@berth/base";
import { isProxmoxError, type ProxmoxClient } from "@berth/proxmox";
import type { Kysely } from "kysely";
import type { Database } from "../store/tables.ts";

const maxCandidates = 2_000;

/**
 * Finds ids that containers can be made with. Proxmox reserves an id only with the call that makes the container, so
 * what is found is an intention: it is written down before that call, and looked at by whoever chooses next.
 */
export class FreeIds {
  readonly #db: Kysely<Database>;
  readonly #client: ProxmoxClient;
  /** Two that choose at once would choose the same. */
  readonly #choosing = new SerialQueue();

  constructor(db: Kysely<Database>, client: ProxmoxClient) {
    this.#db = db;
    this.#client = client;
  }

  /**
   * Gives the lowest id from `first` on that Proxmox calls free and nobody here has claimed to `claim`, which writes
   * it down. Answers false if there is none.
   */
  take(first: number, claim: (vmid: number) => Promise<void>, candidates = maxCandidates): Promise<boolean> {
    return this.#choosing.run(async () => {
      const vmid = await this.#choose(first, Math.min(candidates, maxCandidates));
      if (vmid === undefined) return false;
      await claim(vmid);
      return true;
    });
  }

  async #choose(first: number, candidates: number): Promise<number | undefined> {
    const seen = await this.#client.cluster.containers();
    const claimed = await this.#db.selectFrom("claims").select("vmid").execute();
    const building = await this.#db.selectFrom("templates").select("vmid").where("vmid", "is not", null).execute();
    const taken = new Set([...seen, ...claimed, ...building].map(({ vmid }) => vmid));
    for (let vmid = first; vmid < first + candidates; vmid++) {
      // The list shows only what the token may see; the last word is Proxmox's.
      if (!taken.has(vmid) && (await isIdFree(this.#client, vmid))) return vmid;
    }
    return undefined;
  }
}

/** Whether nothing in the cluster has this id, also nothing that may not be read. It may be taken a moment later. */
export async function isIdFree(client: ProxmoxClient, vmid: number): Promise<boolean> {
  try {
    await client.api().cluster.nextid.$get({ vmid });
    return true;
  } catch (error) {
    if (isProxmoxError(error, "invalid")) return false;
    throw error;
  }
}

/** How many ids are tried before it is said that none is free. */
export { maxCandidates as maxIdCandidates };
