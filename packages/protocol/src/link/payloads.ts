import { parseJson } from "../json.ts";
import type { CloseReason } from "./channel.ts";
import { LinkViolation, linkLimits, MessageTooLong } from "./frames.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });

/** A value as JSON. Throws `MessageTooLong` when the peer would not take it. */
export function encodeJson(value: unknown): Uint8Array {
  const payload = encoder.encode(stringify(value));
  // The peer would close the whole link.
  if (payload.byteLength > linkLimits.maxMessageBytes)
    throw new MessageTooLong("the message is longer than the link takes");
  return payload;
}

function stringify(value: unknown): string {
  try {
    return JSON.stringify(value);
  } catch (error) {
    // Parsing goes deeper than this does, so what a relay was sent may be too deep to be sent on.
    if (error instanceof RangeError) throw new MessageTooLong("the message is nested too deeply", { cause: error });
    throw error;
  }
}

/** The value of a JSON payload; throws `LinkViolation` if it is none. */
export function decodeJson(payload: Uint8Array): unknown {
  const text = decodeText(payload);
  const value = text === undefined ? undefined : parseJson(text);
  if (value === undefined) throw new LinkViolation("a message is not JSON");
  return value;
}

function decodeText(payload: Uint8Array): string | undefined {
  try {
    return decoder.decode(payload);
  } catch {
    return undefined;
  }
}

/** A count of bytes as a credit's payload. */
export function encodeCredit(bytes: number): Uint8Array {
  const payload = new Uint8Array(4);
  new DataView(payload.buffer).setUint32(0, bytes);
  return payload;
}

/** The bytes that a credit gives; throws `LinkViolation` if it is none. */
export function decodeCredit(payload: Uint8Array): number {
  if (payload.byteLength !== 4) throw new LinkViolation("a credit is not four bytes");
  return new DataView(payload.buffer, payload.byteOffset, 4).getUint32(0);
}

/** Why the peer closed a channel; throws `LinkViolation` if it does not say so. */
export function decodeClose(payload: Uint8Array): CloseReason {
  const value = decodeJson(payload);
  if (typeof value !== "object" || value === null) throw new LinkViolation("a close without a reason");
  return boundedReason({
    ...("code" in value && typeof value.code === "string" ? { code: value.code } : {}),
    ...("detail" in value && typeof value.detail === "string" ? { detail: value.detail } : {}),
  });
}

/** A reason with no more of its texts than a close carries. */
export function boundedReason({ code, detail }: CloseReason): CloseReason {
  return {
    ...(code === undefined ? {} : { code: code.slice(0, 64) }),
    ...(detail === undefined ? {} : { detail: detail.slice(0, 1024) }),
  };
}
