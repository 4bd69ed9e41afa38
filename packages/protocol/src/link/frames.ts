/**
 * Frames of a link: `type (1 byte) | channel (4 bytes, big endian) | payload`. Over a WebSocket each binary message is
 * one frame; over a byte stream each frame is preceded by its length (4 bytes, big endian).
 */
export const frameTypes = {
  /** JSON: the channel's kind and parameters. */
  open: 1,
  /** Bytes; they cost credit. */
  data: 2,
  /** JSON; costs no credit, bounded in size and number by its meaning. */
  message: 3,
  /** 4 bytes: how many more bytes of data the sender of this frame takes. */
  credit: 4,
  /** JSON `{code?, detail?}`: no code means that it ended as it should. */
  close: 5,
} as const;
export type FrameType = (typeof frameTypes)[keyof typeof frameTypes];

export const linkLimits = {
  headerBytes: 5,
  /** A snapshot of the largest screen with its scrollback fits; nothing longer is sent. */
  maxFrameBytes: 4 * 1024 * 1024,
  /** A message or the parameters of a channel. The text of the largest screen fits; what is longer is not sent. */
  maxMessageBytes: 1024 * 1024,
  /** Data that may be under way on one channel. One frame may overdraw it, so that a snapshot stays whole. */
  channelWindowBytes: 512 * 1024,
  maxChannels: 1024,
} as const;

export interface Frame {
  readonly type: FrameType;
  readonly channel: number;
  /** A view into the bytes that were received. */
  readonly payload: Uint8Array;
}

/** A peer broke the link's rules; the link must be closed. */
export class LinkViolation extends Error {
  override readonly name = "LinkViolation";
}

/** A message is longer than the link takes. */
export class MessageTooLong extends Error {
  override readonly name = "MessageTooLong";
  readonly code = "payload_too_large";
}

/** A frame's bytes, in memory of the given length that `allocate` answers. */
export function encodeFrame(
  type: FrameType,
  channel: number,
  payload: Uint8Array,
  allocate: (bytes: number) => Uint8Array = (bytes) => new Uint8Array(bytes),
): Uint8Array {
  const frame = allocate(linkLimits.headerBytes + payload.byteLength);
  frame[0] = type;
  new DataView(frame.buffer, frame.byteOffset).setUint32(1, channel);
  frame.set(payload, linkLimits.headerBytes);
  return frame;
}

/** Reads a frame; throws `LinkViolation` if it is none. */
export function decodeFrame(bytes: Uint8Array): Frame {
  if (bytes.byteLength < linkLimits.headerBytes) throw new LinkViolation("a frame is shorter than its header");
  if (bytes.byteLength > linkLimits.maxFrameBytes + linkLimits.headerBytes)
    throw new LinkViolation("a frame is too long");
  const type = bytes[0];
  if (!isFrameType(type)) throw new LinkViolation(`unknown frame type ${type}`);
  const channel = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(1);
  return { type, channel, payload: bytes.subarray(linkLimits.headerBytes) };
}

function isFrameType(value: number | undefined): value is FrameType {
  return value !== undefined && value >= frameTypes.open && value <= frameTypes.close;
}
