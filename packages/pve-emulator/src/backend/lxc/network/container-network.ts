import type { MachineService, NetworkCard, RawLxcKey } from "../../backend.ts";

export interface ContainerNetworkOptions {
  /** Where the network keeps what it must remember; the subnet is chosen by a hash of it. */
  readonly dataDir: string;
  /** Containers get no way to the outside: no NAT, and no names but their own. */
  readonly isolated: boolean;
  /** Name of the bridge, as the API shows it. */
  readonly bridge: string;
  /** One line a life-cycle change. */
  readonly report: (line: string) => void;
}

/**
 * The network of one emulator's containers: a namespace of its own with a bridge, DHCP and DNS, joined to the machine by
 * one routed link. It outlives the emulator's process, whose next run finds it again. Containers cannot reach each
 * other, nor anything of the machine but the TCP ports of `hostAddress` that are allowed.
 */
export interface ContainerNetwork extends AsyncDisposable {
  /** The machine's end of the link: IPv4, without its prefix. */
  readonly hostAddress: string;
  /** Who answers the containers' questions for names. */
  readonly nameservers: readonly string[];

  /**
   * The raw LXC keys that give a stopped container these cards, for each of its starts. The interface in the container
   * has the card's name and MAC; DHCP gives it the address that belongs to the MAC until the container is forgotten.
   */
  keysFor(vmid: number, cards: readonly NetworkCard[]): Promise<readonly RawLxcKey[]>;
  /** Forgets a deleted container's addresses and what is left of its interfaces. */
  forget(vmid: number): Promise<void>;
  /** Forgets all containers but these: those whose deletion was cut off. */
  forgetOthers(vmids: readonly number[]): Promise<void>;
  /**
   * Names the TCP ports of `hostAddress` that containers may reach, instead of what was allowed before; connections that
   * are open stay so; and the machine's services that are found there though they listen elsewhere. Remembered on disk. Before the first call: every unprivileged port (1024 and above).
   */
  allowMachinePorts(ports: readonly number[], services?: readonly MachineService[]): Promise<void>;
  /** Lets go of it without taking it down: for an emulator whose own start failed. */
  leave(): void;
}
