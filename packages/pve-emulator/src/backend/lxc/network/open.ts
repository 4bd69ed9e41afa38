import { chmod, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { writeFileAtomic } from "@berth/base/node";
import type { ContainerNetwork, ContainerNetworkOptions } from "./container-network.ts";
import { namesOf } from "./names.ts";
import { NamespaceNetwork } from "./namespace-network.ts";
import { loadState, networkFiles, saveState } from "./network-state.ts";
import { networkObstacle } from "./obstacle.ts";
import { otherFirewalls } from "./other-firewalls.ts";
import { portScript } from "./port-script.ts";
import { findResolvers } from "./resolvers.ts";
import { firstHost, formatAddress } from "./subnet.ts";
import { oneAtATime, pickSubnet } from "./subnet-choice.ts";
import { allowForwarding, raiseTopology } from "./topology.ts";

/**
 * Opens the network of a data folder: takes over what an earlier emulator left, and makes what is missing of it. The
 * same folder gets the same addresses for as long as the machine leaves them free. At most one process may have the
 * network of a folder open. Throws an error that says why this machine cannot, with the cure.
 */
export async function openContainerNetwork(options: ContainerNetworkOptions): Promise<ContainerNetwork> {
  try {
    return await open(options);
  } catch (cause) {
    const obstacle = await networkObstacle();
    throw obstacle === undefined ? cause : new Error(obstacle, { cause });
  }
}

async function open({ dataDir, isolated, bridge, report }: ContainerNetworkOptions): Promise<ContainerNetwork> {
  const names = namesOf(dataDir, bridge);
  const files = networkFiles(dataDir);
  const resolvers = isolated ? undefined : await findResolvers();
  if (!isolated && !resolvers) {
    report("containers get no names of the outside: the machine's resolvers are on its loopback interface only");
  }
  await mkdir(names.runtimeDir, { recursive: true });
  // Its reader is the name server's user; the process's mask may be narrower.
  await chmod(names.runtimeDir, 0o755);
  await writeFileAtomic(join(names.runtimeDir, "port-up"), portScript(names), 0o755);
  const { subnet, state, bridgeIndex } = await oneAtATime(async () => {
    const earlier = await loadState(files);
    const chosen = await pickSubnet({ names, earlier: earlier?.subnet, resolvers });
    const first = formatAddress(chosen.block.first);
    const next = { nextHost: firstHost, cards: [], ...earlier, subnet: first };
    if (earlier?.subnet !== first) await saveState(files, next);
    if (earlier && earlier.subnet !== first) report(`containers get new addresses: the machine uses ${earlier.subnet}`);
    return { subnet: chosen, state: next, bridgeIndex: await raiseTopology(names, chosen) };
  });
  const network = new NamespaceNetwork({ names, files, subnet, bridgeIndex, isolated, resolvers }, state);
  await network.raise();
  if (!isolated && (await allowForwarding())) report("this machine now forwards packets (net.ipv4.ip_forward = 1)");
  for (const line of await otherFirewalls(names, isolated)) report(line);
  return network;
}
