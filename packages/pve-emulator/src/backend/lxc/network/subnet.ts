import { createHash } from "node:crypto";

/** A block of IPv4 addresses, aligned to its size. Addresses are numbers of 32 bits. */
export interface AddressBlock {
  readonly first: number;
  readonly prefix: number;
}

/**
 * The addresses of one emulator: a block of 2048, aligned. Its lower half is the containers' network, the beginning of
 * its upper half the link to the machine. A large one, so that the address of a deleted container is not needed again
 * before its lease has ended.
 */
export interface Subnet {
  readonly block: AddressBlock;
  readonly containers: AddressBlock;
  /** The bridge's own address. */
  readonly gateway: number;
  readonly link: AddressBlock;
  /** The machine's end of the link. */
  readonly machine: number;
  /** The namespace's end of the link. */
  readonly router: number;
}

/** Places of containers in their network: not those of the network, the gateway and the broadcast. */
export const firstHost = 2;
export const lastHost = 1022;

const blockPrefix = 21;
const blockSize = 2 ** (32 - blockPrefix);

/** Private networks (RFC 1918) in the order in which they are tried; the last 256th of the first is never used. */
const pools = [
  { first: parseAddress("10.0.0.0"), blocks: (255 * 2 ** 16) / blockSize },
  { first: parseAddress("172.16.0.0"), blocks: 2 ** 20 / blockSize },
  { first: parseAddress("192.168.0.0"), blocks: 2 ** 16 / blockSize },
];

/**
 * The first subnet, in an order that only depends on the seed, that shares no address with these blocks. Undefined when
 * the machine uses all private addresses.
 */
export function chooseSubnet(seed: string, taken: readonly AddressBlock[]): Subnet | undefined {
  const start = createHash("sha256").update(seed).digest().readUInt32BE(0);
  for (const { first, blocks } of pools) {
    for (let step = 0; step < blocks; step += 1) {
      const subnet = subnetAt(first + ((start + step) % blocks) * blockSize);
      if (!taken.some((other) => overlaps(subnet.block, other))) return subnet;
    }
  }
  return undefined;
}

export function subnetAt(first: number): Subnet {
  const half = first + blockSize / 2;
  return {
    block: { first, prefix: blockPrefix },
    containers: { first, prefix: blockPrefix + 1 },
    gateway: first + 1,
    link: { first: half, prefix: 30 },
    machine: half + 1,
    router: half + 2,
  };
}

export function overlaps(a: AddressBlock, b: AddressBlock): boolean {
  return a.first < b.first + sizeOf(b) && b.first < a.first + sizeOf(a);
}

function sizeOf({ prefix }: AddressBlock): number {
  return 2 ** (32 - prefix);
}

/** Throws on anything but four numbers. */
export function parseAddress(text: string): number {
  const parts = text.split(".").map(Number);
  const fits = parts.length === 4 && parts.every((part) => Number.isInteger(part) && part >= 0 && part < 256);
  if (!fits) throw new Error(`${JSON.stringify(text)} is not an IPv4 address`);
  return parts.reduce((sum, part) => sum * 256 + part, 0);
}

export function formatAddress(address: number): string {
  return [24, 16, 8, 0].map((shift) => (address >>> shift) & 255).join(".");
}

/** An address, or a block as `a.b.c.d/n`. */
export function parseBlock(text: string): AddressBlock {
  const [address = "", prefix = "32"] = text.split("/");
  const size = 2 ** (32 - Number(prefix));
  return { first: Math.floor(parseAddress(address) / size) * size, prefix: Number(prefix) };
}

export function formatBlock({ first, prefix }: AddressBlock): string {
  return `${formatAddress(first)}/${prefix}`;
}
