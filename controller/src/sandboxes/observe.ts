import { type Clock, Gate } from "@berth/base";
import { type ContainerConfig, type ContainerRef, isProxmoxError, type ProxmoxClient } from "@berth/proxmox";
import type { ClusterView } from "../cluster/cluster-view.ts";
import { isIdFree } from "../cluster/free-ids.ts";
import type { FleetKeys } from "../fleet/keys.ts";
import { readOwner, type Told } from "../fleet/ownership.ts";
import { type ContainerSettings, settingsOfContainer } from "./container-settings.ts";
import type { ObservedContainer } from "./plan.ts";
import type { SandboxRow } from "./record.ts";

export interface ObserverDependencies {
  client: ProxmoxClient;
  view: ClusterView;
  keys: FleetKeys;
  clock: Clock;
}

/** A container as Proxmox shows it, and the node on which it was found. */
export interface Sighting {
  container: ObservedContainer;
  node: string | undefined;
  /** What it has of what a sandbox has settings for; undefined: that was not looked at. */
  settings?: ContainerSettings | undefined;
  /** What its description tells, and which version of its configuration that was; of one of ours that was read whole. */
  mark?: { readonly told: Told | undefined; readonly digest: string };
}

/** A container of ours that runs and has no address yet. */
interface Awaited {
  readonly seenAt: number;
  /** When it was last asked for its address. */
  readonly askedAt: number;
  readonly at: ContainerRef;
  readonly sighting: Sighting;
  readonly cards: ReadonlySet<string>;
}

/** What of its address: nothing, or to be asked for, once or until it comes; or what was found just now. */
type Wanted = "known" | "doubtful" | "awaited" | { readonly found: string };

/** How long a container that waits for its address is asked for nothing else, in milliseconds. */
const trustAwaitedMs = 2_000;
/** By how much a timer may be early, or a look late, without missing its turn. */
const turnSlackMs = 30;
/**
 * Looks at containers of one node at a time. Its API has three workers: more at once would only wait there, each on a
 * connection that is made for it. One node that hangs keeps no other waiting.
 */
const looksPerNode = 4;
/**
 * How many may be asked for their address in a second. To ask runs a program on the node, just while all that wait need
 * its processors to boot.
 */
const askedPerSecond = 32;
/** How old the list of nodes may be when a container is looked for on all of them, in milliseconds. */
const nodesAgeMs = 10_000;

/**
 * Looks at containers. Whose a container is and whether it runs is asked of the container itself each time, since what
 * is decided by it may destroy something. Only the polling for an address is cheaper: until there is one it asks for
 * nothing else, and once there is one it looks at the whole again.
 */
export class Observer {
  readonly #deps: ObserverDependencies;
  /** By sandbox; bounded by those that wait for an address. */
  readonly #awaited = new Map<string, Awaited>();
  /** By node; bounded by the nodes that there ever were. */
  readonly #gates = new Map<string, Gate>();
  /** Sandboxes whose address may be another one than is written down. */
  readonly #doubtful = new Set<string>();

  constructor(dependencies: ObserverDependencies) {
    this.#deps = dependencies;
  }

  /** The next look asks for the sandbox's address even if it has one. */
  doubtAddress(sandboxId: string): void {
    this.#doubtful.add(sandboxId);
  }

  /** Keeps nothing of a sandbox that is no more. */
  forget(sandboxId: string): void {
    this.#awaited.delete(sandboxId);
    this.#doubtful.delete(sandboxId);
  }

  /**
   * Looks at the container at a sandbox's vmid: two calls, at most three while its address is needed, one while that is
   * waited for. More only for a container that is not where it was. Throws a ProxmoxError when Proxmox cannot be asked.
   */
  look(row: SandboxRow, needsAddress: boolean): Promise<Sighting> {
    const { vmid, node } = row;
    if (vmid === null || node === null) return Promise.resolve({ container: { kind: "none" }, node: undefined });
    const gate = this.#gates.get(node) ?? new Gate(looksPerNode);
    this.#gates.set(node, gate);
    return gate.run(() => this.#look(row, { vmid, node }, needsAddress));
  }

  async #look(row: SandboxRow, lastAt: ContainerRef, needsAddress: boolean): Promise<Sighting> {
    const awaited = this.#awaited.get(row.id);
    this.#awaited.delete(row.id);
    if (!awaited || !needsAddress || awaited.at.vmid !== lastAt.vmid) {
      return this.#lookAtAll(row, lastAt, needsAddress ? "awaited" : this.#doubtful.has(row.id) ? "doubtful" : "known");
    }
    const askedAt = this.#deps.clock.now();
    if (askedAt - awaited.askedAt < this.#turnMs()) {
      this.#awaited.set(row.id, awaited);
      return awaited.sighting;
    }
    // The whole asks for the address too, and so takes a turn.
    if (this.#isOld(awaited)) return this.#lookAtAll(row, lastAt, "awaited");
    const address = await this.#address(awaited.at, awaited.cards);
    if (address !== undefined) return this.#lookAtAll(row, lastAt, { found: address });
    this.#awaited.set(row.id, { ...awaited, askedAt });
    return awaited.sighting;
  }

  /** How long one that waits is not asked again: a few may as often as they are looked at. */
  #turnMs(): number {
    const waiting = this.#awaited.size + 1;
    return waiting <= 4 ? 0 : Math.min((waiting * 1_000) / askedPerSecond, trustAwaitedMs) - turnSlackMs;
  }

  #isOld({ seenAt }: Awaited): boolean {
    return this.#deps.clock.now() - seenAt > trustAwaitedMs;
  }

  async #lookAtAll(row: SandboxRow, lastAt: ContainerRef, wanted: Wanted): Promise<Sighting> {
    const { keys } = this.#deps;
    const found = await this.#locate(row, lastAt);
    if (found === "none" || found === "hidden") return { container: { kind: found }, node: undefined };
    const { at, config } = found;
    const owner = readOwner(keys, config.description, at.vmid);
    if (owner.kind !== "ours" || owner.sandboxId !== row.id) {
      // A clone on its way may not have its description yet.
      if (config.lock === "create") return { container: { kind: "hidden" }, node: at.node };
      // All that a removal leaves whose worker is killed. What is locked is only ever waited for.
      if (config.lock === "destroyed" && owner.kind === "unmarked") {
        const { lock } = config;
        return { container: { kind: "ours", power: "stopped", lock, address: undefined, whole: false }, node: at.node };
      }
      const reason = owner.kind === "foreign" ? owner.reason : "its description does not name this sandbox";
      return { container: { kind: "foreign", reason }, node: at.node };
    }
    const { running, lock, address } = await this.#power(at, config, wanted);
    if (running && wanted !== "known") this.#doubtful.delete(row.id);
    const known = running && wanted !== "known" ? address : (row.address ?? undefined);
    const whole = config.rootfs !== undefined;
    const power = running ? "running" : "stopped";
    const settings = settingsOfContainer(config);
    const container = { kind: "ours", power, lock, address: known, whole } as const;
    const mark = { told: owner.told, digest: config.digest };
    const sighting: Sighting = { container, node: at.node, settings, mark };
    if (running && wanted === "awaited" && address === undefined && lock === undefined) {
      const now = this.#deps.clock.now();
      this.#awaited.set(row.id, { seenAt: now, askedAt: now, at, sighting, cards: cardsOf(config) });
    }
    return sighting;
  }

  /**
   * Whether a container runs, and its address if that is wanted. One that has an address runs, so the list's word, right
   * or wrong, decides which of the two is asked first.
   */
  async #power(
    at: ContainerRef,
    config: ContainerConfig,
    wanted: Wanted,
  ): Promise<{ running: boolean; lock: string | undefined; address: string | undefined }> {
    const ask = () => this.#address(at, cardsOf(config));
    if (typeof wanted === "object") return { running: true, lock: config.lock, address: wanted.found };
    const asksFirst = wanted !== "known" && this.#deps.view.lastSeen(at.vmid)?.status === "running";
    const early = asksFirst ? await ask() : undefined;
    if (early !== undefined) return { running: true, lock: config.lock, address: early };
    const status = await this.#deps.client.containers.status(at);
    const lock = config.lock ?? status.lock;
    const late = status.running && wanted !== "known" && !asksFirst ? await ask() : undefined;
    return { running: status.running, lock, address: late };
  }

  /**
   * Reads a container's configuration where it seems to be, where it was last, and else wherever it is. Only the
   * configuration itself says where a container is: the cluster's list is no more than a hint.
   */
  async #locate(
    row: SandboxRow,
    lastAt: ContainerRef,
  ): Promise<"none" | "hidden" | { at: ContainerRef; config: ContainerConfig }> {
    const { vmid } = lastAt;
    const hint = this.#deps.view.lastSeen(vmid)?.node ?? lastAt.node;
    const asked = new Set<string>();
    const ask = async (nodes: Iterable<string>) => {
      for (const node of nodes) {
        if (asked.has(node)) continue;
        asked.add(node);
        const config = await this.#configAt({ node, vmid });
        if (config === "hidden") return config;
        if (config) return { at: { node, vmid }, config };
      }
      return undefined;
    };
    const near = await ask([hint, lastAt.node]);
    if (near) return near;
    // What was never configured was never moved.
    if (!row.configured && row.desired !== "destroyed") return "none";
    const listed = (await this.#deps.view.containers()).get(vmid);
    const others = await this.#deps.view.onlineNodes(nodesAgeMs);
    return (await ask([...(listed ? [listed.node] : []), ...others])) ?? "none";
  }

  async #configAt(at: ContainerRef): Promise<ContainerConfig | "hidden" | undefined> {
    try {
      return await this.#deps.client.containers.config(at);
    } catch (error) {
      // Where the rights come from a pool, this is also the answer for what does not exist.
      if (isProxmoxError(error, "forbidden"))
        return (await isIdFree(this.#deps.client, at.vmid)) ? undefined : "hidden";
      if (isProxmoxError(error, "missing")) return undefined;
      throw error;
    }
  }

  /**
   * Of the container's own cards, since a container has other interfaces too, such as Docker's. IPv4 first, since every
   * bridge with DHCP has it; link-local addresses lead nowhere from another host.
   */
  async #address(at: ContainerRef, cards: ReadonlySet<string>): Promise<string | undefined> {
    const addresses = (await this.#deps.client.containers.addresses(at)).filter(
      ({ interface: name, address }) =>
        (cards.size === 0 ? name !== "lo" : cards.has(name)) &&
        !address.toLowerCase().startsWith("fe80:") &&
        !address.startsWith("169.254."),
    );
    return (addresses.find(({ family }) => family === 4) ?? addresses[0])?.address;
  }
}

/** The names of a container's network cards inside it. */
function cardsOf({ nets }: ContainerConfig): ReadonlySet<string> {
  return new Set([...nets.values()].flatMap(({ name }) => (name === undefined ? [] : [name])));
}
