import { bandPackets, flushPacket, PacketReader, packet } from "./pkt-line.ts";

/** How a push ended, as git tells it: whether its pack is good, and of each ref why it is refused, or null. */
export interface PushReport {
  /** `ok`, or what is wrong with it. */
  readonly unpack: string;
  readonly refs: ReadonlyMap<string, string | null>;
}

/** Reads what `receive-pack` reports. Throws `NotAPacket`. */
export async function readReport(bytes: Uint8Array): Promise<PushReport> {
  const reader = new PacketReader(single(bytes));
  const refs = new Map<string, string | null>();
  let unpack = "it was not taken";
  for (;;) {
    const next = await reader.next();
    if (next === undefined || next === "flush") return { unpack, refs };
    const line = next.toString("utf8").replace(/\n$/, "");
    const [, word, rest = ""] = /^(unpack|ok|ng|option) ?(.*)$/s.exec(line) ?? [];
    if (word === "unpack") unpack = rest;
    else if (word === "ok") refs.set(rest, null);
    else if (word === "ng") refs.set(rest.replace(/ .*$/s, ""), rest.replace(/^[^ ]* ?/, ""));
  }
}

/** What is sent of it: words for people first, and the report behind them. */
export function encodeReport({ unpack, refs }: PushReport, words: readonly string[]): Buffer {
  const lines = [...refs].map(([ref, refused]) =>
    refused === null ? `ok ${ref}\n` : `ng ${ref} ${oneLine(refused)}\n`,
  );
  const report = Buffer.concat([
    packet(`unpack ${oneLine(unpack)}\n`),
    ...lines.map((line) => packet(line)),
    flushPacket,
  ]);
  return Buffer.concat([...words.flatMap(sayPackets), ...bandPackets(1, report), flushPacket]);
}

/** A line that the sandbox's git shows as the remote's. */
export function sayPackets(words: string): Buffer[] {
  return bandPackets(2, Buffer.from(`${oneLine(words)}\n`));
}

function oneLine(text: string): string {
  return text.replaceAll(/\p{C}+/gu, " ").slice(0, 1000);
}

async function* single(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, void> {
  yield bytes;
}
