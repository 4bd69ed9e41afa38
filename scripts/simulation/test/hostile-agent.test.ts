import type { AttachParams } from "@berth/protocol";
import { linkLimits, linkVersion, Multiplexer } from "@berth/protocol/link";
import { Random } from "@berth/testkit/random";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { AgentLink } from "../../../controller/src/agents/link.ts";
import { AgentRegistry } from "../../../controller/src/agents/registry.ts";
import { serveViewer } from "../../../controller/src/terminals/viewer.ts";
import { Network } from "../network.ts";
import { SimulatedProcess } from "../process.ts";
import { SimulatedTime, settled } from "../time.ts";
import { SimulatedWebSocket } from "../web-socket.ts";

const frame = { open: 1, data: 2, message: 3, credit: 4, close: 5 } as const;
const sandboxes = { honest: `sbx_${"1".repeat(20)}`, hostile: `sbx_${"2".repeat(20)}` };
const hello = { linkVersion, agentVersion: "0", bootId: "b", machineId: "0".repeat(32), terminals: [] };
const attached = {
  type: "attached",
  epoch: 1,
  offset: 0,
  mode: "exact",
  cols: 80,
  rows: 24,
  windowBytes: 1,
  inputOffset: 0,
};
/** The first channel that a controller opens. */
const viewersChannel = 1;

let time: SimulatedTime;
let network: Network;
let random: Random;
let controller: SimulatedProcess;
let registry: AgentRegistry;
let violations: string[];

beforeEach(() => {
  random = new Random(1);
  time = new SimulatedTime();
  time.install(() => random.next());
  network = new Network(random);
  controller = new SimulatedProcess("controller", time);
  registry = new AgentRegistry(time);
  violations = [];
});
afterEach(() => SimulatedTime.uninstall());

/** Delivers all that is under way. An error that is thrown here would have ended the controller. */
async function deliverAll(): Promise<void> {
  for (;;) {
    await settled();
    const [next] = network.ready;
    if (!next) return;
    next.deliverNext();
  }
}

/** An agent's end of a link that the controller has accepted and greeted. */
async function agent(sandboxId: string): Promise<SimulatedWebSocket> {
  const { near, far } = SimulatedWebSocket.pair(network, new SimulatedProcess("agent", time), controller);
  const link = new AgentLink({
    sandboxId,
    // biome-ignore lint/suspicious/noExplicitAny: stands in for a socket of ws.
    socket: far as any,
    onHello: async (greeted) => {
      queueMicrotask(() => queueMicrotask(() => registry.put(greeted)));
      return { linkVersion, env: {}, heartbeatMs: 15_000 };
    },
    onTerminal: () => {},
    onFrame: () => {},
    onActivity: () => {},
    onViolation: (reason) => violations.push(reason),
  });
  far.once("close", () => registry.remove(link));
  send(near, frame.message, 0, { type: "request", id: 1, method: "hello", params: hello });
  await deliverAll();
  return near;
}

/** A viewer's end of a socket to a sandbox's terminal, and what it got. */
async function viewer(sandboxId: string) {
  const { near, far } = SimulatedWebSocket.pair(network, new SimulatedProcess("browser", time), controller);
  const got = { bytes: 0, messages: [] as string[], socket: near };
  near.on("message", (data: Buffer, binary: boolean) => {
    if (binary) got.bytes += data.byteLength;
    else got.messages.push(data.toString());
  });
  const params: AttachParams = { terminalId: "t", scrollbackLines: 0, readOnly: false };
  // biome-ignore lint/suspicious/noExplicitAny: stands in for a socket of ws.
  void serveViewer(far as any, { registry, made: async () => {}, hold: () => () => {} }, sandboxId, params);
  await deliverAll();
  return got;
}

/** An agent that keeps the rules: each byte of input comes back. */
async function honestAgent(): Promise<void> {
  const socket = await agent(sandboxes.honest);
  const multiplexer = new Multiplexer({
    side: "dialler",
    send: (bytes) => socket.send(bytes),
    onControl: () => {},
    onOpen: (channel) => {
      channel.handle({
        onData: (payload) => {
          channel.consumed(payload.byteLength);
          channel.send(payload);
        },
      });
      channel.sendMessage(attached);
    },
  });
  socket.on("message", (data: Buffer) => multiplexer.receive(data));
}

function send(socket: SimulatedWebSocket, type: number, channel: number, payload: unknown): void {
  const body = Buffer.isBuffer(payload) ? payload : Buffer.from(JSON.stringify(payload));
  const header = Buffer.alloc(5);
  header[0] = type;
  header.writeUInt32BE(channel, 1);
  socket.send(Buffer.concat([header, body]));
}

const credit = (bytes: number) => {
  const payload = Buffer.alloc(4);
  payload.writeUInt32BE(bytes);
  return payload;
};
const event = (data: unknown) => ({ type: "event", event: "terminal", data });

type Attack = (socket: SimulatedWebSocket) => void;
const violationsOfLink: readonly (readonly [string, Attack])[] = [
  ["a text frame", (socket) => socket.send("{}")],
  ["an empty frame", (socket) => socket.send(Buffer.alloc(0))],
  ["an unknown type of frame", (socket) => send(socket, 9, 0, {})],
  ["a frame that is too long", (socket) => send(socket, frame.data, 1, Buffer.alloc(linkLimits.maxFrameBytes + 1))],
  ["a message that is too long", (socket) => send(socket, frame.message, 0, "x".repeat(linkLimits.maxMessageBytes))],
  ["a channel of its own", (socket) => send(socket, frame.open, 2, { kind: "terminal", params: {} })],
  ["the viewer's channel opened by it", (socket) => send(socket, frame.open, viewersChannel, { kind: "terminal" })],
  ["data on the control channel", (socket) => send(socket, frame.data, 0, Buffer.from("x"))],
  ["credit above the window", (socket) => send(socket, frame.credit, viewersChannel, credit(2 ** 32 - 1))],
  ["a nest of brackets", (socket) => send(socket, frame.message, 0, Buffer.from("[".repeat(500_000)))],
  ["a message of no kind", (socket) => send(socket, frame.message, 0, { type: "surprise" })],
  ["an event about nothing", (socket) => send(socket, frame.message, 0, event({ id: "../../etc" }))],
  ["an event of no kind", (socket) => send(socket, frame.message, 0, { type: "event", event: "__proto__", data: {} })],
  [
    "control without end",
    (socket) => {
      for (let count = 0; count < 2_001; count += 1)
        send(socket, frame.message, 0, { type: "failure", id: 9, code: "", detail: "" });
    },
  ],
  [
    "empty data without end",
    (socket) => {
      for (let count = 0; count < 2_001; count += 1) send(socket, frame.data, viewersChannel, Buffer.alloc(0));
    },
  ],
];
const violationsOfViewer: readonly (readonly [string, Attack])[] = [
  ["bytes before the attach", (socket) => send(socket, frame.data, viewersChannel, Buffer.from("x"))],
  ["an answer that is none", (socket) => send(socket, frame.message, viewersChannel, { ...attached, cols: -1 })],
  [
    "an exit before the attach",
    (socket) => send(socket, frame.message, viewersChannel, { type: "exit", code: 0, signal: null }),
  ],
  [
    "two answers",
    (socket) => {
      for (let count = 0; count < 2; count += 1) send(socket, frame.message, viewersChannel, attached);
    },
  ],
];

describe("an agent that sends", () => {
  it.each(violationsOfLink)("%s loses its link, and nobody else anything", async (_name, attack) => {
    await honestAgent();
    const other = await viewer(sandboxes.honest);
    const socket = await agent(sandboxes.hostile);
    const own = await viewer(sandboxes.hostile);
    attack(socket);
    await deliverAll();
    expect(violations).toHaveLength(1);
    expect(socket.readyState).toBe(3);
    expect(registry.isConnected(sandboxes.hostile)).toBe(false);
    expect(own.socket.readyState).toBe(3);
    await expectEcho(other);
  });

  it.each(violationsOfViewer)("%s loses that viewer, and nobody else anything", async (_name, attack) => {
    await honestAgent();
    const other = await viewer(sandboxes.honest);
    const socket = await agent(sandboxes.hostile);
    const own = await viewer(sandboxes.hostile);
    attack(socket);
    await deliverAll();
    expect(own.socket.readyState).toBe(3);
    expect(violations).toEqual([]);
    await expectEcho(other);
  });

  it("more than the window of its viewer, who does not read, loses its link and costs the window", async () => {
    await honestAgent();
    const other = await viewer(sandboxes.honest);
    const socket = await agent(sandboxes.hostile);
    const own = await viewer(sandboxes.hostile);
    send(socket, frame.message, viewersChannel, attached);
    await deliverAll();
    own.socket.pause();
    for (let count = 0; count < 100; count += 1) send(socket, frame.data, viewersChannel, Buffer.alloc(64 * 1024));
    await deliverAll();
    expect(violations).toEqual(["more data than the channel's window"]);
    expect(own.socket.inboxBytes).toBeLessThanOrEqual(linkLimits.channelWindowBytes + 64 * 1024);
    await expectEcho(other);
  });

  it("words for terminals that are not its own reaches nobody", async () => {
    await honestAgent();
    const other = await viewer(sandboxes.honest);
    const socket = await agent(sandboxes.hostile);
    for (const channel of [1, 3, 5, 4_000_000_000]) {
      for (const type of [frame.data, frame.message, frame.close]) send(socket, type, channel, attached);
    }
    await deliverAll();
    expect(other.messages).toHaveLength(1);
    expect(other.bytes).toBe(0);
    expect(socket.readyState).toBe(socket.OPEN);
    await expectEcho(other);
  });

  it("anything at all costs at most its own link", { timeout: 60_000 }, async () => {
    await honestAgent();
    const other = await viewer(sandboxes.honest);
    for (let round = 0; round < 300; round += 1) {
      const socket = await agent(sandboxes.hostile);
      await viewer(sandboxes.hostile);
      for (let count = random.integer(1, 12); count > 0; count -= 1) anything(socket);
      await deliverAll();
      if (round % 20 === 0) await expectEcho(other);
      socket.terminate();
      await deliverAll();
    }
    expect(violations.length).toBeGreaterThan(50);
    await expectEcho(other);
  });
});

/** The honest sandbox's viewer types, and sees it. */
async function expectEcho(other: Awaited<ReturnType<typeof viewer>>): Promise<void> {
  const before = other.bytes;
  other.socket.send(Buffer.from("typed"));
  await deliverAll();
  expect(other.bytes).toBe(before + 5);
}

const words: readonly unknown[] = [
  attached,
  { type: "resync", epoch: 1, offset: 5 },
  { type: "resized", cols: 1, rows: 1 },
  { type: "inputAck", offset: 2 ** 53 },
  { type: "exit", code: 1e20, signal: null },
  { type: "request", id: 2, method: "hello", params: hello },
  { type: "request", id: 3, method: "constructor", params: null },
  { type: "result", id: 1, result: null },
  event({ id: "t", state: "running" }),
  { code: "restarted" },
  null,
];

function anything(socket: SimulatedWebSocket): void {
  const type = random.integer(0, 6);
  const channel = random.pick([0, 1, 1, 2, 3, random.integer(0, 2 ** 32 - 1)]);
  const bytes = Buffer.from(Array.from({ length: random.integer(0, 40) }, () => random.integer(0, 255)));
  const word = Buffer.from(JSON.stringify(random.pick(words)));
  if (random.chance(0.2)) word[random.integer(0, word.byteLength - 1)] = random.integer(0, 255);
  send(socket, type, channel, random.pick([bytes, word, credit(random.integer(0, 600_000))]));
}
