import { existsSync, readdirSync, readFileSync } from "node:fs";
import Type, { type Static } from "typebox";
import { Value } from "typebox/value";
import { namesOf } from "../src/backend/lxc/network/names.ts";
import { fixture, type Lab, Namespace, type Opener } from "./lxc-network-lab.ts";

const keysSchema = Type.Array(Type.Tuple([Type.String(), Type.String()]));
const leaseSchema = Type.Object({
  address: Type.String(),
  prefix: Type.Integer(),
  router: Type.String(),
  dns: Type.String(),
});
export type Lease = Static<typeof leaseSchema>;

/** A namespace in the place of a container, with a card that is joined to the network as LXC would do it. */
export class StandIn {
  readonly namespace: Namespace;
  readonly mac: string;
  readonly #lab: Lab;
  readonly #keys: ReadonlyMap<string, string>;

  private constructor(lab: Lab, namespace: Namespace, mac: string, keys: ReadonlyMap<string, string>) {
    this.#lab = lab;
    this.namespace = namespace;
    this.mac = mac;
    this.#keys = keys;
  }

  static async create(lab: Lab, opener: Opener, vmid: number, mac = macOf(vmid)): Promise<StandIn> {
    const answer = await opener.call({ call: "keysFor", vmid, cards: [{ name: "eth0", mac }] });
    const namespace = await Namespace.create(lab.scope);
    const container = new StandIn(lab, namespace, mac, new Map(Value.Parse(keysSchema, answer)));
    await container.plug();
    return container;
  }

  /** The name of the card's other end. */
  get port(): string {
    return this.#keys.get("lxc.net.0.veth.pair") ?? "";
  }

  /** What LXC does at each start, and at a reboot from inside. */
  async plug(): Promise<void> {
    const mac = this.#keys.get("lxc.net.0.hwaddr");
    const script = this.#keys.get("lxc.net.0.script.up") ?? "";
    await this.#lab.machine.ip(
      `link add name ${this.port} type veth peer name eth0 address ${mac} netns ${this.namespace.name}`,
    );
    await this.#lab.machine.run([script, "name", "net", "up", "veth", this.port]);
    await this.namespace.ip("link set dev eth0 up", "route add 255.255.255.255/32 dev eth0");
  }

  async unplug(): Promise<void> {
    await this.namespace.ip("link del dev eth0");
  }

  /** Gets an address by DHCP and uses it. */
  async lease(hostname = "stand-in"): Promise<Lease> {
    const argv = ["timeout", "20", process.execPath, fixture("dhcp-client.ts"), this.mac, hostname];
    const lease = Value.Parse(leaseSchema, JSON.parse(await this.namespace.run(argv)));
    await this.namespace.ip(
      "address flush dev eth0",
      `address add ${lease.address}/${lease.prefix} dev eth0`,
      `route replace default via ${lease.router} dev eth0`,
    );
    return lease;
  }

  /** The first IPv4 address of a name, or the code of the refusal. */
  async resolve(name: string, server: string): Promise<string> {
    const program = `
      const resolver = new (require("node:dns").promises.Resolver)({ timeout: 2000, tries: 4 });
      resolver.setServers([${JSON.stringify(server)}]);
      resolver.resolve4(${JSON.stringify(name)}).then((found) => console.log(found[0]), (error) => console.log(error.code));`;
    return (await this.namespace.run([process.execPath, "-e", program])).trim();
  }
}

export function macOf(vmid: number): string {
  return `bc:24:11:00:${(vmid >> 8).toString(16).padStart(2, "0")}:${(vmid & 255).toString(16).padStart(2, "0")}`;
}

/** What there is of a folder's network, in words. */
export async function remains(lab: Lab, dataDir: string): Promise<readonly string[]> {
  const names = namesOf(dataDir, "vmbr0");
  const links = await lab.machine.run(["ip", "-brief", "link"]);
  const routes = await lab.machine.run(["ip", "route"]);
  const tables = await lab.machine.run(["nft", "list", "tables"]);
  return [
    ...(existsSync(names.namespacePath) ? ["namespace"] : []),
    ...(links.includes(names.link) ? ["link"] : []),
    ...(routes.includes(names.link) ? ["route"] : []),
    ...(tables.includes(names.table) ? ["table"] : []),
    ...(existsSync(names.runtimeDir) ? ["runtime folder"] : []),
    ...(nameServersOf(dataDir).length > 0 ? ["name server"] : []),
  ];
}

/** Pids of the name servers of a folder. */
export function nameServersOf(dataDir: string): readonly number[] {
  const { runtimeDir } = namesOf(dataDir, "vmbr0");
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(`--conf-file=${runtimeDir}/`);
      } catch {
        return false;
      }
    });
}
