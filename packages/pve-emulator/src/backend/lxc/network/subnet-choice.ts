import { mkdir } from "node:fs/promises";
import { systemClock } from "@berth/base";
import { DirectoryInUse, DirectoryLock } from "@berth/base/node";
import { routedBlocks } from "./links.ts";
import { type NetworkNames, runtimeRoot } from "./names.ts";
import type { Resolvers } from "./resolvers.ts";
import { chooseSubnet, formatBlock, overlaps, parseAddress, parseBlock, type Subnet, subnetAt } from "./subnet.ts";

const lockTimeoutMs = 60_000;
const pollMs = 10;

/** What the choice depends on. */
export interface SubnetWish {
  readonly names: NetworkNames;
  /** The first address of the subnet that this emulator had before. */
  readonly earlier: string | undefined;
  readonly resolvers: Resolvers | undefined;
}

/**
 * The emulator's own subnet: the one that it had before, while the machine has not begun to use it for something else;
 * or one that the machine uses for nothing.
 */
export async function pickSubnet({ names, earlier, resolvers }: SubnetWish): Promise<Subnet> {
  const had = earlier === undefined ? undefined : subnetAt(parseAddress(earlier));
  const routed = await routedBlocks(names.link);
  // Packets to a smaller network of ours go to us, whatever larger one it is in.
  const larger = (other: { prefix: number }) => other.prefix < (had?.block.prefix ?? 0);
  if (had && !routed.some((other) => overlaps(had.block, other) && !larger(other))) return had;
  const taken = [...routed, ...(resolvers?.addresses ?? []).map(parseBlock)];
  const chosen = chooseSubnet(names.prefix, taken);
  if (chosen) return chosen;
  throw new Error(`the machine has routes to all private networks (${routed.map(formatBlock).join(", ")}): remove one`);
}

/** Runs a task while no other emulator of this machine runs one, so that none chooses the subnet that another has. */
export async function oneAtATime<T>(task: () => Promise<T>): Promise<T> {
  await mkdir(runtimeRoot, { recursive: true, mode: 0o755 });
  const lock = await acquire();
  try {
    return await task();
  } finally {
    await lock[Symbol.asyncDispose]();
  }
}

async function acquire(): Promise<DirectoryLock> {
  const deadline = performance.now() + lockTimeoutMs;
  for (;;) {
    try {
      return await DirectoryLock.acquire(runtimeRoot);
    } catch (error) {
      if (!(error instanceof DirectoryInUse) || performance.now() > deadline) throw error;
      await systemClock.sleep(pollMs);
    }
  }
}
