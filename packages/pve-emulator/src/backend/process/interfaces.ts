import type { ContainerInterface, NetworkCard } from "../backend.ts";

const loopback: ContainerInterface = {
  name: "lo",
  mac: "00:00:00:00:00:00",
  addresses: [
    { address: "127.0.0.1", family: "inet", prefix: 8 },
    { address: "::1", family: "inet6", prefix: 128 },
  ],
};

/**
 * The interfaces of a container with this address, as a container with a network of its own would have them: the first
 * card has the address, and each one the link-local address that a kernel would give it.
 */
export function interfacesOf(address: string, cards: readonly NetworkCard[]): readonly ContainerInterface[] {
  const describe = ({ name, mac }: NetworkCard, index: number): ContainerInterface => {
    const own = { address, family: "inet", prefix: 8 } as const;
    const linkLocal = { address: linkLocalAddress(mac), family: "inet6", prefix: 64 } as const;
    return { name, mac, addresses: index === 0 ? [own, linkLocal] : [linkLocal] };
  };
  return [loopback, ...cards.map(describe)];
}

/** The address that the kernel gives a card by itself (RFC 4291, appendix A). */
function linkLocalAddress(mac: string): string {
  const bytes = mac.split(":").map((part) => Number.parseInt(part, 16));
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = bytes;
  const groups = [((a ^ 2) << 8) | b, (c << 8) | 0xff, 0xfe00 | d, (e << 8) | f];
  return `fe80::${groups.map((group) => group.toString(16)).join(":")}`;
}
