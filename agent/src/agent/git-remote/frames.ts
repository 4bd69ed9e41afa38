/**
 * What the agent says to the program that git runs: `kind (1 byte) | length (4 bytes, big endian) | bytes`. The other way
 * go a line of JSON (`{service, url}`) and then git's bytes as they are.
 */
export const frameKinds = {
  /** The controller serves this conversation. */
  ready: 0,
  /** Git's bytes. */
  data: 1,
  /** UTF-8 for people: why it does not go on. Nothing follows. */
  failed: 2,
  /** That was all. */
  done: 3,
} as const;
export type FrameKind = (typeof frameKinds)[keyof typeof frameKinds];

export interface Frame {
  readonly kind: number;
  readonly bytes: Buffer;
}

const headerBytes = 5;

/** A frame's bytes. */
export function encodeFrame(kind: FrameKind, bytes: Uint8Array = new Uint8Array()): Buffer {
  const header = Buffer.alloc(headerBytes);
  header.writeUInt8(kind, 0);
  header.writeUInt32BE(bytes.byteLength, 1);
  return Buffer.concat([header, bytes]);
}

/** The frames of a stream; what is cut off at its end is no frame. */
export async function* readFrames(chunks: AsyncIterable<Buffer>): AsyncGenerator<Frame, void, void> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of chunks) {
    rest = rest.byteLength === 0 ? chunk : Buffer.concat([rest, chunk]);
    while (rest.byteLength >= headerBytes) {
      const end = headerBytes + rest.readUInt32BE(1);
      if (rest.byteLength < end) break;
      yield { kind: rest.readUInt8(0), bytes: rest.subarray(headerBytes, end) };
      rest = rest.subarray(end);
    }
  }
}
