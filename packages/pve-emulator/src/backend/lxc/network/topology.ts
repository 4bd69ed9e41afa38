import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { readFile, rm, statfs, writeFile } from "node:fs/promises";
import { inside, run } from "./commands.ts";
import { addressLines, configure, type Link, listLinks } from "./links.ts";
import { type NetworkNames, portPrefix } from "./names.ts";
import { portCommands } from "./port-script.ts";
import { formatAddress, formatBlock, type Subnet } from "./subnet.ts";

/** Type of the file system that a file of a namespace is on (linux/magic.h). */
const nsfsMagic = 0x6e736673;
const forwarding = "/proc/sys/net/ipv4/ip_forward";

/**
 * Makes whatever is missing of the namespace, its bridge and its link to the machine, and puts back onto the bridge the
 * ports that it lost. Answers the bridge's number, which tells it from any earlier one of its name.
 */
export async function raiseTopology(names: NetworkNames, subnet: Subnet): Promise<number> {
  await raiseNamespace(names);
  const [machine, own] = await Promise.all([listLinks(), listLinks(names.namespacePath)]);
  const link = machine.find(({ ifname }) => ifname === names.link);
  const uplink = own.find(({ ifname }) => ifname === names.uplink);
  const paired = link?.link_index === uplink?.ifindex && uplink?.link_index === link?.ifindex && link !== undefined;
  if (!paired) {
    await configure(link ? [`link del dev ${names.link}`] : []);
    // Its other end was perhaps the one that is gone by now.
    if (uplink) await removeLink(names.uplink, names.namespacePath);
    await configure([`link add name ${names.link} type veth peer name ${names.uplink} netns ${names.namespace}`]);
  }
  await configure(insideLines(names, subnet, own, paired), names.namespacePath);
  await configure(machineLines(names, subnet, paired ? link : undefined));
  // The machine itself needs no IPv6 on the link, and containers shall find none.
  await writeFile(`/proc/sys/net/ipv6/conf/${names.link}/disable_ipv6`, "1").catch(() => {});
  // Services of the loopback may be shown to containers. What they send to 127.0.0.0/8 themselves stays in the namespace.
  await writeFile(`/proc/sys/net/ipv4/conf/${names.link}/route_localnet`, "1");
  const bridge = (await listLinks(names.namespacePath)).find(({ ifname }) => ifname === names.bridge);
  if (!bridge) throw new Error(`somebody removed ${names.bridge} from the network namespace ${names.namespace}`);
  return bridge.ifindex;
}

/** A namespace whose making was cut off is a file without anything mounted on it. */
async function raiseNamespace(names: NetworkNames): Promise<void> {
  if (!(await hasNamespace(names))) {
    await rm(names.namespacePath, { force: true });
    await run(["ip", "netns", "add", names.namespace]);
  }
  const settings = "echo 1 > net/ipv4/ip_forward; echo 1 > net/ipv6/conf/all/disable_ipv6";
  await run(inside(names.namespacePath, ["sh", "-c", `cd /proc/sys; { ${settings}; } 2>/dev/null || :`]));
}

export async function hasNamespace({ namespacePath }: NetworkNames): Promise<boolean> {
  return existsSync(namespacePath) && (await statfs(namespacePath)).type === nsfsMagic;
}

function insideLines(names: NetworkNames, subnet: Subnet, links: readonly Link[], paired: boolean): readonly string[] {
  const { bridge, uplink } = names;
  const found = links.find(({ ifname }) => ifname === bridge);
  const old = found?.linkinfo?.info_kind === "bridge" ? found : undefined;
  const ports = links.filter(({ ifname }) => ifname.startsWith(portPrefix(names.prefix)));
  return [
    "link set dev lo up",
    ...(found && !old ? [`link del dev ${bridge}`] : []),
    // An address of its own: a bridge without one takes that of a port, and containers remember it.
    ...(old ? [] : [`link add name ${bridge} address ${bridgeMac(names)} type bridge stp_state 0 forward_delay 0`]),
    ...addressLines(old, bridge, `${formatAddress(subnet.gateway)}/${subnet.containers.prefix}`),
    ...ports.flatMap(({ ifname }) => portCommands(ifname, bridge)),
    ...addressLines(
      paired ? links.find(({ ifname }) => ifname === uplink) : undefined,
      uplink,
      `${formatAddress(subnet.router)}/${subnet.link.prefix}`,
    ),
    `route replace default via ${formatAddress(subnet.machine)} dev ${uplink}`,
  ];
}

function machineLines({ link }: NetworkNames, subnet: Subnet, old: Link | undefined): readonly string[] {
  const machine = formatAddress(subnet.machine);
  const route = `${formatBlock(subnet.containers)} via ${formatAddress(subnet.router)} dev ${link} src ${machine}`;
  return [...addressLines(old, link, `${machine}/${subnet.link.prefix}`), `route replace ${route}`];
}

function bridgeMac({ prefix }: NetworkNames): string {
  const hash = createHash("sha256").update(prefix).digest("hex");
  return `02:${hash.slice(0, 10).match(/../g)?.join(":")}`;
}

/** Lets the machine pass packets on. Answers whether it did not before. It stays so: others may rely on it by then. */
export async function allowForwarding(): Promise<boolean> {
  if ((await readFile(forwarding, "utf8")).trim() === "1") return false;
  await writeFile(forwarding, "1");
  return true;
}

/** Removes an interface; there may be none. */
export async function removeLink(name: string, namespacePath?: string): Promise<void> {
  const links = await listLinks(namespacePath);
  if (!links.some(({ ifname }) => ifname === name)) return;
  try {
    await configure([`link del dev ${name}`], namespacePath);
  } catch (error) {
    // It went by itself in the meantime, as ends of veths do.
    if ((await listLinks(namespacePath)).some(({ ifname }) => ifname === name)) throw error;
  }
}

/** Removes all of it; any part may be missing. */
export async function razeTopology(names: NetworkNames): Promise<void> {
  const prefix = portPrefix(names.prefix);
  for (const { ifname } of await listLinks()) {
    if (ifname === names.link || ifname.startsWith(prefix)) await removeLink(ifname);
  }
  if (await hasNamespace(names)) {
    // A mount namespace that copied the machine's mounts keeps the network namespace: it shall at least be empty.
    for (const { ifname } of await listLinks(names.namespacePath)) {
      if (ifname === names.bridge || ifname.startsWith(prefix)) await removeLink(ifname, names.namespacePath);
    }
    await run(["ip", "netns", "del", names.namespace]);
  }
  await rm(names.namespacePath, { force: true });
}
