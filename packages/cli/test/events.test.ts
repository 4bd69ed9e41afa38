import { describe, expect, it } from "vitest";
import { parseEvents, type StreamEvent } from "../src/events/parse.ts";

async function parse(...chunks: string[]): Promise<StreamEvent[]> {
  async function* bytes() {
    for (const chunk of chunks) yield Buffer.from(chunk, "latin1");
  }
  const events: StreamEvent[] = [];
  for await (const event of parseEvents(bytes())) events.push(event);
  return events;
}

describe("server-sent events", () => {
  it("are read whatever the bytes' cuts", async () => {
    const text =
      'retry: 2000\n\n:\n\nid: 7\nevent: step\ndata: {"a":1}\n\nid: 8\nevent: done\r\ndata: x\r\ndata: y\r\n\r\n';
    const whole = [
      { id: "7", event: "step", data: '{"a":1}' },
      { id: "8", event: "done", data: "x\ny" },
    ];
    expect(await parse(text)).toEqual(whole);
    expect(await parse(...text)).toEqual(whole);
    const utf8 = Buffer.from("data: ä€\n\n").toString("latin1");
    expect(await parse(...utf8)).toEqual([{ id: undefined, event: "message", data: "ä€" }]);
  });

  it("keep the last id, and leave out one that was cut off", async () => {
    expect(await parse("id: 1\ndata: a\n\ndata: b\n\ndata: cut")).toEqual([
      { id: "1", event: "message", data: "a" },
      { id: "1", event: "message", data: "b" },
    ]);
  });
});
