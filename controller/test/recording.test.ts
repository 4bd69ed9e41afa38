import { recordingLimits } from "@berth/protocol";
import { type Channel, linkLimits, Multiplexer } from "@berth/protocol/link";
import { describe, expect, it } from "vitest";
import { AsciicastCheck } from "../src/terminals/asciicast-check.ts";
import { type RecordedSandbox, RecordingReads } from "../src/terminals/recording.ts";

const header = '{"version": 3, "term": {"cols": 80, "rows": 24}, "timestamp": 1}\n';

function pass(...portions: string[]): string {
  const check = new AsciicastCheck();
  const passed = portions.map((portion) => check.pass(Buffer.from(portion)).toString());
  check.end();
  return passed.join("");
}

describe("the check of a recording", () => {
  it("lets lines of asciicast pass as they are, wherever they are cut", () => {
    const text = `${header}[0, "o", "é\\u001b[m"]\n[1.5, "r", "100x30"]\n[0,"m",""]\n[0.001, "x", "3"]\n`;
    expect(pass(text)).toBe(text);
    const bytes = [...Buffer.from(text)];
    const check = new AsciicastCheck();
    const passed = bytes.map((byte) => check.pass(Buffer.of(byte)));
    check.end();
    expect(Buffer.concat(passed).toString()).toBe(text);
  });

  it.each([
    ["no header", '[0, "o", "x"]\n'],
    ["a second header", header + header],
    ["another version", header.replace("3", "2")],
    ["another kind of event", `${header}[0, "i", "x"]\n`],
    ["a time that runs backwards", `${header}[-1, "o", "x"]\n`],
    ["a size that is none", `${header}[0, "r", "100x30; rm"]\n`],
    ["something else", `${header}<script>\n`],
    ["an empty line", `${header}\n`],
    ["no end", `${header}[0, "o", "x"]`],
    ["nothing", ""],
    ["a line that is too long", `${header}[0, "o", "${"x".repeat(recordingLimits.lineBytes)}"]\n`],
    ["a line without end", header + "[".repeat(recordingLimits.lineBytes + 1)],
  ])("refuses %s", (_, text) => {
    expect(() => pass(text)).toThrow("");
  });

  it("refuses what is not UTF-8, and more than a recording can be", () => {
    const check = new AsciicastCheck();
    check.pass(Buffer.from(header));
    expect(() => check.pass(Buffer.from('[0, "o", "\xff"]\n', "latin1"))).toThrow("not a line");
    const long = new AsciicastCheck();
    long.pass(Buffer.from(header));
    const line = Buffer.from(`[0, "o", "${"x".repeat(100_000)}"]\n`);
    expect(() => {
      for (let bytes = 0; bytes <= recordingLimits.totalBytes; bytes += line.byteLength) long.pass(line);
    }).toThrow("too long");
  }, 30_000);
});

/** A sandbox whose agent does with each channel what the test says. */
function sandbox(serve: (channel: Channel) => void): RecordedSandbox & { channels: Channel[] } {
  const channels: Channel[] = [];
  const ends: { mine?: Multiplexer; theirs?: Multiplexer } = {};
  ends.mine = new Multiplexer({
    side: "listener",
    send: (frame) => queueMicrotask(() => ends.theirs?.receive(frame)),
    onControl: () => {},
  });
  ends.theirs = new Multiplexer({
    side: "dialler",
    send: (frame) => queueMicrotask(() => ends.mine?.receive(frame)),
    onControl: () => {},
    onOpen: (channel) => {
      channels.push(channel);
      channel.handle({});
      serve(channel);
    },
  });
  const { mine } = ends;
  return { sandboxId: "sbx_1", channels, openChannel: (kind, params) => mine.open(kind, params) };
}

const params = { terminalId: "t" };
const never = new AbortController().signal;

async function collect(body: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

describe("a recording that is read from a sandbox", () => {
  it("comes whole, under the channel's window", async () => {
    const line = `[0, "o", "${"x".repeat(10_000)}"]\n`;
    let sent = 0;
    let mostUnread = 0;
    const link = sandbox((channel) => {
      const send = () => {
        for (; channel.creditBytes > 0 && sent < 500; sent += 1) channel.send(Buffer.from(sent === 0 ? header : line));
        mostUnread = Math.max(mostUnread, linkLimits.channelWindowBytes - channel.creditBytes);
        if (sent === 500) channel.close();
      };
      channel.handle({ onCredit: send });
      send();
    });
    const body = await new RecordingReads().open(link, params, never);
    expect(sent).toBeLessThan(60);
    expect(await collect(body)).toBe(header + line.repeat(499));
    expect(mostUnread).toBeLessThanOrEqual(linkLimits.channelWindowBytes + line.length);
  });

  it("is refused with its reason before the first byte, and cut where it breaks off or is none", async () => {
    const reads = new RecordingReads();
    const refused = (code?: string) =>
      reads.open(
        sandbox((channel) => channel.close(code === undefined ? {} : { code, detail: "so" })),
        params,
        never,
      );
    await expect(refused("not_found")).rejects.toMatchObject({ code: "not_found" });
    await expect(refused("pty_host_unavailable")).rejects.toMatchObject({ code: "sandbox_not_ready" });
    await expect(refused()).rejects.toMatchObject({ code: "sandbox_not_ready" });
    const endings: ((channel: Channel) => void)[] = [
      (channel) => channel.close({ code: "link_closed" }),
      (channel) => channel.send(Buffer.from("nonsense\n")),
      (channel) => channel.send(Buffer.alloc(recordingLimits.portionBytes + 1, 10)),
      (channel) => {
        channel.send(Buffer.from("[0,"));
        channel.close();
      },
    ];
    for (const end of endings) {
      const link = sandbox((channel) => {
        channel.send(Buffer.from(header));
        end(channel);
      });
      await expect(reads.open(link, params, never).then(collect)).rejects.toThrow("");
    }
  });

  it("is one of a few at a time, and gives its place and its channel back when it is left", async () => {
    const link = sandbox((channel) => channel.send(Buffer.from(header)));
    const reads = new RecordingReads();
    const gone = new AbortController();
    const open = () => reads.open(link, params, gone.signal);
    await Promise.all(Array.from({ length: recordingLimits.atOnce }, open));
    await expect(open()).rejects.toMatchObject({ code: "limit_exceeded" });
    gone.abort();
    await Promise.resolve();
    expect(link.channels.every((channel) => channel.closed)).toBe(true);
    const body = await reads.open(link, params, never);
    for await (const chunk of body) {
      expect(chunk.toString()).toBe(header);
      break;
    }
    await Promise.resolve();
    expect(link.channels.at(-1)?.closed).toBe(true);
  });
});
