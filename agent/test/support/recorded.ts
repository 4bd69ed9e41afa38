import { asciicastEventSchema, asciicastHeaderSchema, parseJson } from "@berth/protocol";
import { type Channel, type CloseReason, recordingChannelKind } from "@berth/protocol/link";
import { Compile } from "typebox/compile";

const header = Compile(asciicastHeaderSchema);
const event = Compile(asciicastEventSchema);

/** A recording as it came, each line checked. */
export class Recorded {
  readonly header;
  readonly events;

  constructor(text: string) {
    const [first, ...rest] = text.split("\n");
    if (rest.pop() !== "") throw new Error("the last line has no end");
    this.header = header.Parse(parseJson(first ?? ""));
    this.events = rest.map((line) => event.Parse(parseJson(line)));
  }

  /** All output as text. */
  get output(): string {
    return this.of("o").join("");
  }

  /** How long it plays, in seconds. */
  get seconds(): number {
    return this.events.reduce((sum, [interval]) => sum + interval, 0);
  }

  /** The data of all events of this kind. */
  of(wanted: "o" | "r" | "m" | "x"): string[] {
    return this.events.flatMap(([, code, data]) => (code === wanted ? [data] : []));
  }
}

/** Opens a recording's channel and reads it to its end. */
export async function readRecording(
  link: { open(kind: string, params: unknown): Channel | undefined },
  terminalId: string,
  epoch?: number,
): Promise<{ closed: CloseReason; bytes: Buffer }> {
  const channel = link.open(recordingChannelKind, epoch === undefined ? { terminalId } : { terminalId, epoch });
  if (!channel) throw new Error("there is no PTY host");
  const chunks: Buffer[] = [];
  const closed = await new Promise<CloseReason>((resolve) => {
    channel.handle({
      onData: (payload) => {
        chunks.push(Buffer.from(payload));
        channel.consumed(payload.byteLength);
      },
      onClose: resolve,
    });
  });
  return { closed, bytes: Buffer.concat(chunks) };
}

/** A recording that must be there. */
export async function recordingOf(
  link: { open(kind: string, params: unknown): Channel | undefined },
  terminalId: string,
  epoch?: number,
): Promise<Recorded> {
  const { closed, bytes } = await readRecording(link, terminalId, epoch);
  if (closed.code !== undefined) throw new Error(`${closed.code}: ${closed.detail}`);
  return new Recorded(bytes.toString("utf8"));
}
