import { sshString } from "@berth/base/node";

/**
 * Messages of the connection protocol (RFC 4254), the one that ends everything (RFC 4253), and the one that says something
 * before a sign-in is accepted (RFC 4252).
 */
export const message = {
  disconnect: 1,
  userauthBanner: 53,
  globalRequest: 80,
  channelOpen: 90,
  channelOpenConfirmation: 91,
  channelOpenFailure: 92,
  channelData: 94,
  channelExtendedData: 95,
  channelClose: 97,
  channelRequest: 98,
} as const;

/** From this number on a message is of the connection protocol. */
export const firstConnectionMessage = 80;

/** Why a channel is not opened. */
export const openFailure = { prohibited: 1, connectFailed: 2, unknownType: 3, resourceShortage: 4 } as const;

/** The `string` of a message at this place, and where it ends; undefined where the message ends before. */
export function readString(payload: Buffer, at: number): { value: Buffer; end: number } | undefined {
  if (at + 4 > payload.length) return undefined;
  const end = at + 4 + payload.readUInt32BE(at);
  return end > payload.length ? undefined : { value: payload.subarray(at + 4, end), end };
}

/** The `uint32` of a message at this place; undefined where the message ends before. */
export function readNumber(payload: Buffer, at: number): number | undefined {
  return at + 4 > payload.length ? undefined : payload.readUInt32BE(at);
}

/** A line that clients show beside what they do; before the end of the sign-in only. */
export function banner(line: string): Buffer {
  return Buffer.concat([Buffer.of(message.userauthBanner), sshString(`${line}\r\n`), sshString("")]);
}

/** Refuses to open a channel, with a sentence that OpenSSH shows. */
export function channelOpenFailure(recipient: number, reason: number, sentence: string): Buffer {
  return Buffer.concat([
    Buffer.of(message.channelOpenFailure),
    uint32(recipient),
    uint32(reason),
    sshString(sentence),
    sshString(""),
  ]);
}

/** Ends a connection by the wish of a program, with a sentence that OpenSSH shows. */
export function disconnect(sentence: string): Buffer {
  const byApplication = 11;
  return Buffer.concat([Buffer.of(message.disconnect), uint32(byApplication), sshString(sentence), sshString("")]);
}

/** A four-byte number, the most significant byte first. */
export function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
