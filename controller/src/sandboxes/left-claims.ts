import { type Clock, every } from "@berth/base";
import { type ContainerConfig, type ContainerRef, isProxmoxError, type ProxmoxClient } from "@berth/proxmox";
import type { FastifyBaseLogger } from "fastify";
import { isIdFree } from "../cluster/free-ids.ts";
import type { FleetKeys } from "../fleet/keys.ts";
import { readOwner } from "../fleet/ownership.ts";
import type { Claims } from "./claims.ts";

export interface LeftClaimsDependencies {
  client: ProxmoxClient;
  keys: FleetKeys;
  claims: Claims;
  clock: Clock;
  log: FastifyBaseLogger;
}

const everyMs = 60_000;

/**
 * Looks for half-made clones that were left on nodes which were away, and removes them when their nodes are back: the
 * sandboxes that they were made for took other places meanwhile, and do not wait for it.
 */
export class LeftClaims {
  readonly #deps: LeftClaimsDependencies;
  #callOff = () => {};
  #looking: Promise<void> | undefined;

  constructor(dependencies: LeftClaimsDependencies) {
    this.#deps = dependencies;
  }

  start(): void {
    this.#callOff = every(this.#deps.clock, everyMs, () => {
      this.#looking ??= this.look().finally(() => {
        this.#looking = undefined;
      });
    });
  }

  /** Waits for the look that is under way. */
  async stop(): Promise<void> {
    this.#callOff();
    await this.#looking;
  }

  /** Looks at each once. Never rejects: what cannot be done now is tried again. */
  async look(): Promise<void> {
    const { claims, log } = this.#deps;
    const left = await claims.left().catch(() => []);
    for (const { vmid, node, sandbox_id: sandboxId } of left) {
      try {
        if (await this.#remove({ vmid, node }, sandboxId)) await claims.release(vmid);
      } catch (error) {
        log.debug({ sandboxId, vmid, err: error }, "what is left of a clone could not be removed");
      }
    }
  }

  /** Whether nothing of ours is there any more. */
  async #remove(at: ContainerRef, sandboxId: string): Promise<boolean> {
    const { client, keys, log } = this.#deps;
    const found = await findContainer(client, at);
    if (found === "none") return true;
    if (found === "hidden") return false;
    const owner = readOwner(keys, found.config.description, at.vmid);
    if (owner.kind !== "ours" || owner.sandboxId !== sandboxId) return found.config.lock === undefined;
    // The API cannot unlock what a worker left that died with its node.
    if (found.config.lock !== undefined) return false;
    const status = await client.containers.status(found.at);
    if (status.running) await client.tasks.wait(await client.containers.stop(found.at));
    const { error } = await client.tasks.wait(await client.containers.destroy(found.at, { purge: true }));
    if (error) throw error;
    log.info({ sandboxId, vmid: at.vmid, node: found.at.node }, "what was left of a clone is removed");
    return true;
  }
}

/**
 * Finds the container of an id, on the node where it should be, or any other. `hidden`: something has the id and may not
 * be read. Throws a ProxmoxError, `node_offline` among them while a node that may have it is away.
 */
export async function findContainer(
  client: ProxmoxClient,
  at: ContainerRef,
): Promise<"none" | "hidden" | { at: ContainerRef; config: ContainerConfig }> {
  const read = async (node: string) => {
    try {
      return await client.containers.config({ node, vmid: at.vmid });
    } catch (error) {
      if (isProxmoxError(error, "missing", "forbidden")) return undefined;
      throw error;
    }
  };
  const here = await read(at.node);
  if (here) return { at, config: here };
  if (await isIdFree(client, at.vmid)) return "none";
  for (const { node } of await client.cluster.nodes()) {
    const config = node === at.node ? undefined : await read(node);
    if (config) return { at: { node, vmid: at.vmid }, config };
  }
  return "hidden";
}
