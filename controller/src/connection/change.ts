import { BerthError, type Connection, type Examination, type Proposal } from "@berth/protocol";
import { normaliseFingerprint } from "@berth/proxmox";
import { connectProxmox } from "../cluster/connection.ts";
import type { Cluster } from "../cluster/open.ts";
import type { Caller, UnitOfWork } from "../http/context.ts";
import { audit } from "../identity/audit.ts";
import type { Store } from "../store/connect.ts";
import { inTransaction } from "../store/transaction.ts";
import { type ExaminerDependencies, examine } from "./examine.ts";
import { type KeptConnection, removeKeptConnection, withConnection, writeKeptConnection } from "./kept.ts";
import { countOf, findOccupants, holdClaims, leadsToSame, type Occupants, tellOccupants } from "./occupants.ts";
import { hindrance } from "./usable.ts";

export interface ConnectionDependencies extends ExaminerDependencies {
  readonly store: Store;
  /** What is used now. */
  readonly cluster: Pick<Cluster, "access" | "pool" | "storage">;
  /** What was saved, as of this start. */
  readonly kept: KeptConnection | undefined;
  /** What is saved has changed: nothing more may be begun, and the controller is to start anew. Must not throw. */
  readonly changed: () => void;
}

/** The connection to Proxmox: tells of it, tries another one, and changes it. */
export class Connections {
  readonly #deps: ConnectionDependencies;
  #changing = false;

  constructor(dependencies: ConnectionDependencies) {
    this.#deps = dependencies;
  }

  async present(): Promise<Connection> {
    const { cluster, settings, kept, store } = this.#deps;
    const { access, pool, storage } = cluster;
    const { bridge, vlan } = withConnection(settings, kept);
    const source = this.#source();
    return {
      source,
      urls: [...access.urls],
      tokenId: access.tokenId,
      fingerprints: access.fingerprints.map(normaliseFingerprint),
      pool: pool ?? null,
      storage: storage ?? null,
      bridge: bridge ?? null,
      vlan: vlan ?? null,
      savedAt: source === "kept" ? (kept?.savedAt ?? null) : null,
      occupants: countOf(await findOccupants(store.db)),
    };
  }

  examine(proposal: Proposal): Promise<Examination> {
    return examine(proposal, this.#deps);
  }

  /**
   * Checks the proposal again, keeps it and has the controller start anew with it. Throws `conflict`: the environment
   * says which Proxmox is used, the proposal cannot be used, or something is on the present one that it does not have.
   */
  async save(proposal: Proposal, caller: Caller): Promise<void> {
    const { settings, clock } = this.#deps;
    this.#requireOurs();
    const { checks } = await this.examine(proposal);
    const obstacle = hindrance(checks);
    if (obstacle) {
      const more = obstacle.fix === null ? {} : { hint: obstacle.fix };
      throw new BerthError("conflict", `${obstacle.title}: ${obstacle.detail}`, more);
    }
    const kept: KeptConnection = { version: 1, savedAt: new Date(clock.now()).toISOString(), ...proposal };
    const same = await this.#leadsToSame(proposal);
    await this.#change(same, async ({ trx }) => {
      await audit(trx, caller.user.id, "proxmox.saved", proposal.urls.join(","), { tokenId: proposal.tokenId });
      await writeKeptConnection(settings.dataDir, kept);
    });
  }

  /** Uses the bundled Proxmox again. Throws `conflict` as `save` does. */
  async forget(caller: Caller): Promise<void> {
    this.#requireOurs();
    if (!this.#deps.kept) throw new BerthError("conflict", "The bundled Proxmox is used already.");
    await this.#change(new Set(), async ({ trx }) => {
      await audit(trx, caller.user.id, "proxmox.forgotten", this.#deps.cluster.access.urls.join(","));
      await removeKeptConnection(this.#deps.settings.dataDir);
    });
  }

  /**
   * The last thing in the transaction is the file: killed before it, the old connection is used, and after it the new
   * one. Nobody can claim a container's id meanwhile, and whoever waits to do so finds the work stopped.
   */
  async #change(same: ReadonlySet<string>, write: (work: UnitOfWork) => Promise<void>): Promise<void> {
    if (this.#changing) throw new BerthError("conflict", "The connection is being changed already.");
    this.#changing = true;
    try {
      await inTransaction(this.#deps.store.db, async (work) => {
        await holdClaims(work.trx);
        const occupants = await findOccupants(work.trx);
        if (countOf(occupants) > 0 && !areAll(occupants, same)) {
          const { detail, hint } = tellOccupants(occupants);
          throw new BerthError("conflict", detail, { hint });
        }
        await write(work);
        // Before the commit, which lets go of those that wait.
        this.#deps.changed();
      });
    } finally {
      this.#changing = false;
    }
  }

  /** The ids of the sandboxes that the proposal leads to as well; empty: it leads elsewhere. */
  async #leadsToSame(proposal: Proposal): Promise<ReadonlySet<string>> {
    const { settings, clock, keys, store } = this.#deps;
    const access = withConnection(settings, proposal).proxmox;
    const occupants = await findOccupants(store.db);
    if (!access || countOf(occupants) === 0) return new Set();
    const client = connectProxmox(access, clock, () => {});
    try {
      const same = await leadsToSame(client, keys, occupants);
      return new Set(same ? [...occupants.sandboxes, ...occupants.members].map(({ id }) => id) : []);
    } finally {
      await client[Symbol.asyncDispose]();
    }
  }

  #source(): Connection["source"] {
    if (this.#deps.settings.proxmox) return "environment";
    return this.#deps.kept ? "kept" : "bundled";
  }

  #requireOurs(): void {
    if (this.#source() !== "environment") return;
    throw new BerthError("conflict", "PROXMOX_URL says which Proxmox is used: it is set by the environment.", {
      hint: "Remove the PROXMOX_ settings and start again, and it can be set here.",
    });
  }
}

/** Sandboxes that were made since were not looked for. */
function areAll({ sandboxes, members }: Occupants, same: ReadonlySet<string>): boolean {
  const containers = [...sandboxes, ...members];
  return containers.length > 0 && containers.every(({ id }) => same.has(id));
}
