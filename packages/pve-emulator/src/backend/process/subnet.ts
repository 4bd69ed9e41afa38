import { createHash } from "node:crypto";
import { createServer } from "node:net";

/** Addresses of one emulator: 127.x.y.1 to 127.x.(y+3).254. */
export interface Subnet {
  /** The first two numbers that are the emulator's own: `x` and the lowest `y`, a multiple of 4. */
  readonly second: number;
  readonly third: number;
}

const thirds = 4;

/**
 * The subnet of a data folder, by a hash of its path, so that emulators with different folders hardly ever meet. When
 * they do, or when something else of the machine is on an address, `isFree` finds out and the next one is taken.
 * Never 127.0.y.z, which machines use for themselves.
 */
export function subnetOf(dataDir: string): Subnet {
  const hash = createHash("sha256").update(dataDir).digest();
  return { second: 1 + (hash.readUInt16BE(0) % 254), third: (hash.readUInt16BE(2) % (256 / thirds)) * thirds };
}

/** All addresses of the subnet, in the order in which they are given out. */
export function* addressesOf(subnet: Subnet): Generator<string> {
  for (let third = subnet.third; third < subnet.third + thirds; third += 1) {
    for (let last = 1; last <= 254; last += 1) yield `127.${subnet.second}.${third}.${last}`;
  }
}

/** Whether nobody listens on this port of the address, nor on the port of all addresses. */
export function isFree(address: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, address, () => server.close(() => resolve(true)));
  });
}
