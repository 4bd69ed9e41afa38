/**
 * Git's packets (gitprotocol-common(5)): a length of 4 hexadecimal digits which counts itself, then so many bytes; `0000`,
 * a flush, ends a part.
 */

/** Of a packet's contents, in bytes. */
export const maxPacketBytes = 65_516;

export const flushPacket = Buffer.from("0000");

/** A packet of these contents. Throws a `RangeError` above `maxPacketBytes`. */
export function packet(contents: string | Uint8Array): Buffer {
  const bytes = Buffer.from(contents);
  if (bytes.byteLength > maxPacketBytes) throw new RangeError("a packet is too long");
  return Buffer.concat([Buffer.from((bytes.byteLength + 4).toString(16).padStart(4, "0")), bytes]);
}

/** Packets of one band of a side band: 1 has what is answered, 2 what is shown to people. */
export function bandPackets(band: 1 | 2, contents: Uint8Array): Buffer[] {
  const packets: Buffer[] = [];
  for (let offset = 0; offset < contents.byteLength; offset += maxPacketBytes - 1) {
    const part = contents.subarray(offset, offset + maxPacketBytes - 1);
    packets.push(packet(Buffer.concat([Buffer.from([band]), part])));
  }
  return packets;
}

/** What comes is no packet. */
export class NotAPacket extends Error {
  override readonly name = "NotAPacket";
}

/** Reads packets, and then, if it is wanted, what follows them as it is. */
export class PacketReader {
  readonly #chunks: AsyncIterator<Uint8Array>;
  #held: Buffer = Buffer.alloc(0);

  constructor(chunks: AsyncIterable<Uint8Array>) {
    this.#chunks = chunks[Symbol.asyncIterator]();
  }

  /** The contents of the next packet; `flush` is one, `undefined` is the end between two. Throws `NotAPacket`. */
  async next(): Promise<Buffer | "flush" | undefined> {
    const digits = await this.#take(4, true);
    if (!digits) return undefined;
    const text = digits.toString("latin1");
    if (!/^[0-9a-fA-F]{4}$/.test(text)) throw new NotAPacket("that is not git's protocol");
    const length = Number.parseInt(text, 16);
    if (length === 0) return "flush";
    if (length < 4 || length > maxPacketBytes + 4) throw new NotAPacket("a packet has an impossible length");
    return (await this.#take(length - 4, false)) ?? Buffer.alloc(0);
  }

  /** All that follows, as it comes. */
  async *rest(): AsyncGenerator<Uint8Array, void, void> {
    if (this.#held.byteLength > 0) yield this.#held;
    this.#held = Buffer.alloc(0);
    for (let next = await this.#chunks.next(); !next.done; next = await this.#chunks.next()) yield next.value;
  }

  async #take(bytes: number, mayEnd: boolean): Promise<Buffer | undefined> {
    while (this.#held.byteLength < bytes) {
      const next = await this.#chunks.next();
      if (next.done && mayEnd && this.#held.byteLength === 0) return undefined;
      if (next.done) throw new NotAPacket("it ended within a packet");
      this.#held = Buffer.concat([this.#held, next.value]);
    }
    const taken = this.#held.subarray(0, bytes);
    this.#held = this.#held.subarray(bytes);
    return taken;
  }
}
