import type { NetworkNames } from "./names.ts";
import { portName } from "./names.ts";
import type { NetworkState } from "./network-state.ts";
import { formatAddress, formatBlock, type Subnet } from "./subnet.ts";

/** What rules are made from. */
export interface FirewallFacts {
  readonly names: NetworkNames;
  readonly subnet: Subnet;
  readonly isolated: boolean;
  readonly state: NetworkState;
}

/** Replaces a table in one transaction, whatever was in it. */
function replacing(family: string, table: string, body: string): string {
  return `table ${family} ${table}\ndelete table ${family} ${table}\ntable ${family} ${table} {${body}}\n`;
}

function machinePorts({ state }: FirewallFacts): string {
  const ports = [...(state.machinePorts ?? ["1024-65535"]), ...(state.services ?? []).map(({ port }) => port)];
  const elements = ports.length > 0 ? `elements = { ${ports.join(", ")} }` : "";
  return `set machine_ports {\n type inet_service\n flags interval\n auto-merge\n ${elements}\n }`;
}

/**
 * Rules in the namespace: of the machine, containers reach the allowed ports of one address, and never one another.
 * What goes elsewhere is for the machine's own rules to judge, since only they know its addresses; with isolation it
 * ends here. Refusals are told, so that programs fail at once: by a reset where there is a connection, since Linux does
 * not look at a message that comes back before the call which connects has let go of its socket.
 */
export function namespaceRules(facts: FirewallFacts): string {
  const { names, subnet, isolated } = facts;
  const machine = formatAddress(subnet.machine);
  const fromContainer = `iifname "${names.bridge}" oifname "${names.uplink}" ip saddr ${formatBlock(subnet.containers)}`;
  const gateway = formatAddress(subnet.gateway);
  const refusal = `iifname "${names.bridge}" meta l4proto tcp reject with tcp reset
  iifname "${names.bridge}" reject with icmpx type admin-prohibited`;
  return replacing(
    "inet",
    "berth",
    `
 ${machinePorts(facts)}
 chain input {
  type filter hook input priority filter; policy drop;
  iifname "lo" accept
  ct state established,related accept
  iifname "${names.bridge}" udp dport 67 accept
  iifname "${names.bridge}" ip daddr ${gateway} meta l4proto { tcp, udp } th dport 53 accept
  icmp type echo-request accept
  ${refusal}
 }
 chain forward {
  type filter hook forward priority filter; policy drop;
  ct state established,related accept
  iifname "${names.uplink}" oifname "${names.bridge}" accept
  ${fromContainer} ip daddr ${machine} tcp dport @machine_ports accept
  ${isolated ? "" : `${fromContainer} ip daddr != ${machine} accept`}
  ${refusal}
 }
`,
  );
}

/** What containers find at the machine's end of the link though it listens elsewhere, on the loopback for one. */
function serviceRules({ names, subnet, state }: FirewallFacts): string {
  const services = (state.services ?? []).map(({ port, address }) => `${port} : ${address}`);
  if (services.length === 0) return "";
  return `chain services {
  type nat hook prerouting priority dstnat; policy accept;
  iifname "${names.link}" ip daddr ${formatAddress(subnet.machine)} dnat ip to tcp dport map { ${services.join(", ")} }
 }`;
}

/**
 * Rules of the bridge: a port speaks with its own card's MAC address only, and nobody uses the IPv4 address of another
 * card. Addresses that no card has are free, for containers with static ones.
 */
export function bridgeRules({ names, subnet, state }: FirewallFacts): string {
  const address = (host: number) => formatAddress(subnet.containers.first + host);
  const ports = state.cards.map(({ vmid, index, mac }) => `"${portName(names.prefix, vmid, index)}" . ${mac}`);
  const owned = state.cards.map(({ host }) => address(host));
  const owners = state.cards.map(({ mac, host }) => `${mac} . ${address(host)}`);
  const set = (name: string, type: string, elements: readonly string[]) => {
    return `set ${name} {\n type ${type}\n ${elements.length > 0 ? `elements = { ${elements.join(", ")} }` : ""}\n }`;
  };
  return replacing(
    "bridge",
    "berth",
    `
 ${set("ports", "ifname . ether_addr", ports)}
 ${set("owned", "ipv4_addr", owned)}
 ${set("owners", "ether_addr . ipv4_addr", owners)}
 chain prerouting {
  type filter hook prerouting priority filter; policy accept;
  iifname . ether saddr != @ports drop
  ip saddr @owned ether saddr . ip saddr != @owners drop
  arp saddr ip @owned ether saddr . arp saddr ip != @owners drop
 }
`,
  );
}

/**
 * The machine's rules, before any translation of addresses: what comes over the link reaches the allowed ports and no
 * other address of the machine, whatever those are by then; nothing but the machine itself opens connections to
 * containers, so that other emulators' containers cannot either; what goes out gets the machine's address. The
 * namespace itself may ask a resolver that is on an address of the machine.
 */
export function machineRules(facts: FirewallFacts): string {
  const { names, subnet, isolated } = facts;
  const sources = `{ ${formatBlock(subnet.containers)}, ${formatAddress(subnet.router)} }`;
  const resolver = `ip saddr ${formatAddress(subnet.router)} meta l4proto { tcp, udp } th dport 53`;
  const nat = `chain postrouting {
  type nat hook postrouting priority srcnat; policy accept;
  ip saddr ${sources} oifname != "${names.link}" masquerade
 }`;
  return replacing(
    "inet",
    names.table,
    `
 ${machinePorts(facts)}
 chain prerouting {
  type filter hook prerouting priority mangle; policy accept;
  iifname != "${names.link}" accept
  meta nfproto != ipv4 drop
  ip saddr != ${sources} drop
  ct state established,related accept
  ip daddr ${formatAddress(subnet.machine)} tcp dport @machine_ports accept
  ${isolated ? "drop" : `${resolver} fib daddr type local accept`}
  fib daddr type != unicast drop
 }
 chain forward {
  type filter hook forward priority filter; policy accept;
  oifname "${names.link}" ct state != { established, related } drop
  ${isolated ? `iifname "${names.link}" drop` : ""}
  iifname "${names.link}" tcp flags syn tcp option maxseg size set rt mtu
  oifname "${names.link}" tcp flags syn tcp option maxseg size set rt mtu
 }
 ${isolated ? "" : nat}
 ${serviceRules(facts)}
`,
  );
}
