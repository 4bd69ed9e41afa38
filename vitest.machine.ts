import { readFileSync } from "node:fs";
import { afterAll } from "vitest";

const forwarding = "/proc/sys/net/ipv4/ip_forward";

/** Whether this machine forwards packets between its networks; undefined where that cannot be read. */
function forwards(): boolean | undefined {
  try {
    return readFileSync(forwarding, "utf8").trim() === "1";
  } catch {
    return undefined;
  }
}

const before = forwards();

/**
 * Containers with a way to the outside make the machine a router, and nobody takes that back: tests have theirs isolated,
 * or the network in a namespace of their own. A file that runs at the same time may be the one that is to blame.
 */
afterAll(() => {
  if (before !== false || forwards() !== true) return;
  throw new Error(`a test made this machine forward packets: isolate its containers, and: echo 0 > ${forwarding}`);
});
