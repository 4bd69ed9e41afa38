import { LinkViolation, linkLimits } from "./frames.ts";

const lengthBytes = 4;

/** A frame with its length before it, for a byte stream. */
export function lengthPrefix(frame: Uint8Array): Uint8Array {
  const prefix = new Uint8Array(lengthBytes);
  new DataView(prefix.buffer).setUint32(0, frame.byteLength);
  return prefix;
}

/**
 * Cuts a byte stream into frames. A frame that lies within one chunk is a view into it; only one that spans chunks is
 * copied. Throws `LinkViolation` at a length that no frame has, before anything of it is kept.
 */
export class FrameReader {
  readonly #onFrame: (frame: Uint8Array) => void;
  /** The beginning of a frame (and its length) that has not come whole. */
  #chunks: Uint8Array[] = [];
  #heldBytes = 0;
  #neededBytes = lengthBytes;

  constructor(onFrame: (frame: Uint8Array) => void) {
    this.#onFrame = onFrame;
  }

  push(chunk: Uint8Array): void {
    if (this.#heldBytes + chunk.byteLength < this.#neededBytes) {
      this.#hold(chunk);
      return;
    }
    let bytes = chunk;
    if (this.#heldBytes > 0) {
      this.#hold(chunk);
      bytes = joined(this.#chunks, this.#heldBytes);
      this.#chunks = [];
      this.#heldBytes = 0;
    }
    let start = 0;
    while (bytes.byteLength - start >= lengthBytes) {
      const length = new DataView(bytes.buffer, bytes.byteOffset + start, lengthBytes).getUint32(0);
      if (length < linkLimits.headerBytes) throw new LinkViolation("a frame is shorter than its header");
      if (length > linkLimits.maxFrameBytes + linkLimits.headerBytes) throw new LinkViolation("a frame is too long");
      const end = start + lengthBytes + length;
      if (end > bytes.byteLength) {
        this.#neededBytes = lengthBytes + length;
        this.#hold(bytes.subarray(start));
        return;
      }
      this.#onFrame(bytes.subarray(start + lengthBytes, end));
      start = end;
    }
    this.#neededBytes = lengthBytes;
    if (start < bytes.byteLength) this.#hold(bytes.subarray(start));
  }

  #hold(chunk: Uint8Array): void {
    this.#chunks.push(chunk);
    this.#heldBytes += chunk.byteLength;
  }
}

function joined(chunks: readonly Uint8Array[], totalBytes: number): Uint8Array {
  const bytes = new Uint8Array(totalBytes);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.byteLength;
  }
  return bytes;
}
