import { isErrno } from "@berth/base/node";
import { CommandFailed, run } from "./commands.ts";
import { bridgeRules, machineRules, namespaceRules } from "./firewall.ts";
import { namesOf } from "./names.ts";
import { firstHost, subnetAt } from "./subnet.ts";

/** Programs that networks need, and the packages of Debian that have them. */
const programs = [
  { argv: ["ip", "-V"], package: "iproute2" },
  { argv: ["nsenter", "--version"], package: "util-linux" },
  { argv: ["nft", "--version"], package: "nftables" },
  { argv: ["dnsmasq", "--version"], package: "dnsmasq-base" },
] as const;

/**
 * What keeps this machine from having networks of containers, in one sentence with the cure; undefined: nothing. Tries
 * it, in a namespace that is gone with the attempt: 50 ms.
 */
export async function networkObstacle(): Promise<string | undefined> {
  if (process.platform !== "linux") return "networks of containers need Linux";
  if (process.getuid?.() !== 0) return "networks of containers need root";
  const missing = (await Promise.all(programs.map(isMissing))).flatMap((name) => name ?? []);
  if (missing.length > 0) {
    return `networks of containers need programs that are not installed (on Debian: apt-get install ${missing.join(" ")})`;
  }
  return (
    (await refusal("this machine lets nobody make network namespaces", "true", "")) ??
    (await refusal("this machine has no bridges and veths", "ip -batch -", attempt.links)) ??
    (await refusal("this machine cannot filter packets with nft", "nft -f -", attempt.rules))
  );
}

async function isMissing(program: (typeof programs)[number]): Promise<string | undefined> {
  try {
    await run(program.argv);
    return undefined;
  } catch (error) {
    if (isErrno(error, "ENOENT")) return program.package;
    throw error;
  }
}

async function refusal(meaning: string, command: string, input: string): Promise<string | undefined> {
  try {
    await run(["unshare", "--net", "--", ...command.split(" ")], input);
    return undefined;
  } catch (error) {
    if (error instanceof CommandFailed) return `${meaning} (${error.message.split("\n")[0]})`;
    throw error;
  }
}

/** Everything that a network uses of the kernel. */
const attempt = (() => {
  const names = namesOf("/", "vmbr0");
  const card = { vmid: 1, index: 0, mac: "02:00:00:00:00:01", host: firstHost };
  const state = { subnet: "10.0.0.0", nextHost: firstHost, cards: [card] };
  const facts = { names, subnet: subnetAt(0), isolated: false, state };
  return {
    links: "link add name b type bridge\nlink add name p type veth peer name q\nlink set dev p master b\n",
    rules: namespaceRules(facts) + bridgeRules(facts) + machineRules(facts),
  };
})();
