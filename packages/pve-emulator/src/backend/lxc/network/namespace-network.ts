import { rm } from "node:fs/promises";
import { join } from "node:path";
import { SerialQueue } from "@berth/base";
import { isRunning, type ProcessIdentity, readTextIfExists } from "@berth/base/node";
import type { MachineService, NetworkCard, RawLxcKey } from "../../backend.ts";
import { inside, run } from "./commands.ts";
import type { ContainerNetwork } from "./container-network.ts";
import { bridgeRules, machineRules, namespaceRules } from "./firewall.ts";
import { endNameServers, type NameServerFacts, raiseNameServer, reloadNameServer, writeHosts } from "./name-server.ts";
import { type NetworkNames, portName } from "./names.ts";
import { type NetworkState, saveState, withCards } from "./network-state.ts";
import { formatAddress } from "./subnet.ts";
import { razeTopology, removeLink } from "./topology.ts";

/** What does not change while a network is open. */
export type NetworkPlace = Omit<NameServerFacts, "state">;

/** A network whose namespace, bridge and link are there. */
export class NamespaceNetwork implements ContainerNetwork {
  readonly hostAddress: string;
  readonly nameservers: readonly string[];
  readonly #place: NetworkPlace;
  readonly #queue = new SerialQueue();
  #state: NetworkState;
  /** The state that is on disk and in force. */
  #applied: NetworkState | undefined;
  #nameServer: ProcessIdentity | undefined;
  /** A change of the cards that waits for its turn: it will carry later ones too. */
  #waiting: Promise<void> | undefined;
  #over = false;

  constructor(place: NetworkPlace, state: NetworkState) {
    this.#place = place;
    this.#state = state;
    this.hostAddress = formatAddress(place.subnet.machine);
    this.nameservers = [formatAddress(place.subnet.gateway)];
  }

  /** Puts the rules in force and sees to the name server. Rules come first: nothing is served unguarded. */
  async raise(): Promise<void> {
    await this.#applyPortRules();
    await this.#applyRules(bridgeRules(this.#facts()));
    this.#nameServer = await raiseNameServer(this.#facts());
    this.#applied = this.#state;
  }

  async keysFor(vmid: number, cards: readonly NetworkCard[]): Promise<readonly RawLxcKey[]> {
    const { names } = this.#place;
    await this.#change(
      withCards(
        this.#state,
        vmid,
        cards.map((card) => card.mac),
      ),
    );
    return (
      await Promise.all(
        cards.map(async ({ name, mac }, index): Promise<readonly RawLxcKey[]> => {
          const port = portName(names.prefix, vmid, index);
          // A start that was cut off leaves it behind, and LXC insists on making it.
          if (await machineHas(port)) await removeLink(port);
          return [
            [`lxc.net.${index}.type`, "veth"],
            [`lxc.net.${index}.veth.pair`, port],
            [`lxc.net.${index}.name`, name],
            [`lxc.net.${index}.hwaddr`, mac.toLowerCase()],
            [`lxc.net.${index}.flags`, "up"],
            [`lxc.net.${index}.script.up`, join(names.runtimeDir, "port-up")],
          ];
        }),
      )
    ).flat();
  }

  async forget(vmid: number): Promise<void> {
    const { names } = this.#place;
    const gone = this.#state.cards.filter((card) => card.vmid === vmid);
    await this.#change(withCards(this.#state, vmid, []));
    for (const { index } of gone) {
      const port = portName(names.prefix, vmid, index);
      if (await machineHas(port)) await removeLink(port);
      await removeLink(port, names.namespacePath);
    }
  }

  async forgetOthers(vmids: readonly number[]): Promise<void> {
    const gone = new Set(this.#state.cards.map(({ vmid }) => vmid).filter((vmid) => !vmids.includes(vmid)));
    for (const vmid of gone) await this.forget(vmid);
  }

  async allowMachinePorts(ports: readonly number[], services: readonly MachineService[] = []): Promise<void> {
    this.#state = { ...this.#state, machinePorts: [...new Set(ports)], services: [...services] };
    await this.#queue.run(async () => {
      await this.#apply();
      await this.#applyPortRules();
    });
  }

  leave(): void {
    this.#over = true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#over) return;
    this.#over = true;
    await this.#queue.run(() => raze(this.#place.names));
  }

  /** Takes over new cards: remembered first, so that no address is given twice, then in force. */
  async #change(state: NetworkState): Promise<void> {
    this.#state = state;
    if (this.#applied === state && this.#nameServerRuns()) return;
    this.#waiting ??= this.#queue.run(() => {
      this.#waiting = undefined;
      return this.#apply();
    });
    await this.#waiting;
  }

  async #apply(): Promise<void> {
    const facts = this.#facts();
    await saveState(facts.files, facts.state);
    await Promise.all([writeHosts(facts), this.#applyRules(bridgeRules(facts))]);
    // It may have been killed since.
    if (this.#nameServer && this.#nameServerRuns()) reloadNameServer(this.#nameServer);
    else this.#nameServer = await raiseNameServer(facts);
    this.#applied = facts.state;
  }

  #nameServerRuns(): boolean {
    return this.#nameServer !== undefined && isRunning(this.#nameServer);
  }

  async #applyPortRules(): Promise<void> {
    const facts = this.#facts();
    await Promise.all([this.#applyRules(namespaceRules(facts)), run(["nft", "-f", "-"], machineRules(facts))]);
  }

  async #applyRules(rules: string): Promise<void> {
    await run(inside(this.#place.names.namespacePath, ["nft", "-f", "-"]), rules);
  }

  #facts(): NameServerFacts {
    return { ...this.#place, state: this.#state };
  }
}

/** Whether the machine's own namespace has an interface, from a file that is cheaper to read than `ip` to run. */
async function machineHas(name: string): Promise<boolean> {
  return ((await readTextIfExists("/proc/self/net/dev")) ?? "").includes(` ${name}:`);
}

/** Removes a network, whatever parts of it there are; what its data folder remembers stays. */
async function raze(names: NetworkNames): Promise<void> {
  await endNameServers(names.runtimeDir);
  await razeTopology(names);
  await run(["nft", "-f", "-"], `table inet ${names.table}\ndelete table inet ${names.table}\n`);
  await rm(names.runtimeDir, { recursive: true, force: true });
}
