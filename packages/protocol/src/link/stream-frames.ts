import { LinkViolation, linkLimits } from "./frames.ts";

const lengthBytes = 4;

/** Frames from this length on are written from memory that is used again. */
const pooledBytes = 8 * 1024;
/** One buffer of the pool: a full frame of live output with its length. */
const bufferBytes = 64 * 1024 + linkLimits.headerBytes + lengthBytes;
/** Free buffers that are kept. */
const maxFree = 16;

/**
 * Writes frames with their lengths to a byte stream. What a flood is written from is used again once it is written: new
 * memory for each frame is memory outside of the heap, for whose sake the whole heap would be collected again and again.
 */
export class FrameWriter {
  readonly #write: (bytes: Uint8Array, onWritten?: () => void) => void;
  readonly #free: Uint8Array[] = [];

  /** `write` calls back when the bytes are no longer needed. */
  constructor(write: (bytes: Uint8Array, onWritten?: () => void) => void) {
    this.#write = write;
  }

  /** Memory for a frame, with room before it for its length. It must be sent, or is lost to the pool. */
  readonly allocate = (bytes: number): Uint8Array => {
    const pooled = bytes >= pooledBytes && lengthBytes + bytes <= bufferBytes;
    const whole = pooled ? (this.#free.pop() ?? new Uint8Array(bufferBytes)) : new Uint8Array(lengthBytes + bytes);
    return whole.subarray(lengthBytes, lengthBytes + bytes);
  };

  /** Sends a frame that lies in memory of `allocate`. */
  readonly send = (frame: Uint8Array): void => {
    const whole = new Uint8Array(frame.buffer, frame.byteOffset - lengthBytes, lengthBytes + frame.byteLength);
    new DataView(frame.buffer, whole.byteOffset).setUint32(0, frame.byteLength);
    if (frame.buffer.byteLength !== bufferBytes) this.#write(whole);
    else this.#write(whole, () => this.#release(new Uint8Array(frame.buffer)));
  };

  #release(buffer: Uint8Array): void {
    if (this.#free.length < maxFree) this.#free.push(buffer);
  }
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
