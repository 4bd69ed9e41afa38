import { NotAPacket, type PacketReader } from "./pkt-line.ts";

/** What a push asks for one ref. */
export interface RefUpdate {
  readonly ref: string;
  /** The commit that it is at, as who pushes was told; undefined: it is to be made. */
  readonly from: string | undefined;
  /** Undefined: it is to be deleted. */
  readonly to: string | undefined;
}

/** A push, as far as it is said before its pack. */
export interface PushRequest {
  readonly updates: readonly RefUpdate[];
  readonly capabilities: ReadonlySet<string>;
  /** The packets themselves, for git. */
  readonly packets: readonly Buffer[];
}

const limits = { updates: 500, bytes: 256 * 1024 } as const;
const objectId = "[0-9a-f]{40}(?:[0-9a-f]{24})?";
const updatePattern = new RegExp(`^(${objectId}) (${objectId}) (refs/[^\\s\\x00-\\x20\\x7f~^:?*\\[\\\\]{1,250})$`);

/** Reads what a `git push` asks for; undefined: it asks for nothing. Throws `NotAPacket` for what git would not say. */
export async function readPushRequest(reader: PacketReader): Promise<PushRequest | undefined> {
  const packets: Buffer[] = [];
  const updates: RefUpdate[] = [];
  let capabilities: ReadonlySet<string> = new Set();
  let bytes = 0;
  for (;;) {
    const next = await reader.next();
    if (next === "flush" || next === undefined) break;
    bytes += next.byteLength;
    if (updates.length >= limits.updates || bytes > limits.bytes)
      throw new NotAPacket("a push asks for too much at once");
    packets.push(next);
    const [text = "", words] = next.toString("utf8").replace(/\n$/, "").split("\0");
    if (new RegExp(`^shallow ${objectId}$`).test(text)) continue;
    if (updates.length === 0 && words !== undefined) capabilities = new Set(words.split(" "));
    const match = updatePattern.exec(text);
    if (!match?.[1] || !match[2] || !match[3]) throw new NotAPacket("a push asks for what is not served here");
    updates.push({ ref: match[3], from: commitOf(match[1]), to: commitOf(match[2]) });
  }
  return updates.length === 0 ? undefined : { updates, capabilities, packets };
}

function commitOf(id: string): string | undefined {
  return /^0+$/.test(id) ? undefined : id;
}
