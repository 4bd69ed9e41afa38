import type { IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { Scope } from "@berth/base";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type WebSocket, WebSocketServer } from "ws";
import { type AttachOptions, AttachRefused, attachTerminal, eventually } from "../src/index.ts";

interface Visit {
  readonly socket: WebSocket;
  readonly query: URLSearchParams;
  readonly input: string[];
  readonly control: string[];
}

let scope: Scope;
let visits: Visit[];
let url: string;
let onVisit: (visit: Visit) => void;
let refusal: number | undefined;

beforeEach(async () => {
  scope = new Scope();
  visits = [];
  refusal = undefined;
  const server = new WebSocketServer({
    host: "127.0.0.1",
    port: 0,
    verifyClient: (_: unknown, done: (ok: boolean, status?: number) => void) => done(refusal === undefined, refusal),
  });
  await new Promise((resolve) => server.once("listening", resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  server.on("connection", (socket: WebSocket, request: IncomingMessage) => {
    const visit: Visit = { socket, query: new URL(request.url ?? "", url).searchParams, input: [], control: [] };
    socket.on("message", (data, binary) => (binary ? visit.input : visit.control).push(String(data)));
    visits.push(visit);
    onVisit(visit);
  });
  scope.add(async () => {
    for (const client of server.clients) client.terminate();
    await new Promise((resolve) => server.close(resolve));
  });
});
afterEach(() => scope.dispose());

function attached(offset: number, mode: "exact" | "snapshot", inputOffset = 0): string {
  return JSON.stringify({ type: "attached", epoch: 1, offset, mode, cols: 80, rows: 24, windowBytes: 64, inputOffset });
}

async function attach(more: Partial<AttachOptions> = {}) {
  const terminal = await attachTerminal({ url, token: "t", terminalId: "trm_a", cols: 80, rows: 24, ...more });
  scope.add(() => terminal.close());
  return terminal;
}

test("counts live bytes from the snapshot's offset and not the snapshot", async () => {
  onVisit = ({ socket }) => {
    socket.send(attached(100, "snapshot"));
    socket.send(Buffer.from("\x1bcold screen"));
    socket.send(Buffer.from(" and new"));
  };
  const terminal = await attach();
  await terminal.waitForText("old screen and new");
  expect(terminal.offset).toBe(108);
  expect(terminal.bytesSince(104).toString()).toBe(" new");
  expect(() => terminal.bytesSince(99)).toThrow("not all here");
});

test("after a lost connection it goes on at its offset and sends again what was not acknowledged", async () => {
  onVisit = ({ socket, query, input }) => {
    if (visits.length === 1) {
      socket.send(attached(0, "snapshot"));
      socket.send(Buffer.alloc(0));
      socket.send(Buffer.from("abc"));
      socket.on("message", () => {
        if (input.join("") !== "hello") return;
        socket.send(JSON.stringify({ type: "inputAck", offset: 2 }));
        setImmediate(() => socket.terminate());
      });
    } else {
      socket.send(attached(Number(query.get("from")?.split(":")[1]), "exact", 3));
      socket.send(Buffer.from("def"));
    }
  };
  const terminal = await attach({ reconnectMs: 5000 });
  await terminal.waitForBytes("abc");
  terminal.write("hello");
  await terminal.waitForBytes("abcdef");
  expect(visits[1]?.query.get("from")).toBe("1:3");
  expect(visits[1]?.query.get("input")).toMatch(/:2$/);
  await eventually(() => visits[1]?.input.join("") === "lo");
  expect(terminal.runs).toHaveLength(1);
});

test("acknowledges output by its absolute offset", async () => {
  onVisit = ({ socket }) => {
    socket.send(attached(1000, "snapshot"));
    socket.send(Buffer.alloc(0));
    socket.send(Buffer.alloc(32, "x"));
  };
  await attach();
  await eventually(() => visits[0]?.control.includes('{"type":"ack","offset":1032}'));
});

test("a resync begins a new run of bytes", async () => {
  onVisit = ({ socket }) => {
    socket.send(attached(0, "snapshot"));
    socket.send(Buffer.alloc(0));
    socket.send(Buffer.from("lost"));
    socket.send(JSON.stringify({ type: "resync", epoch: 1, offset: 500 }));
    socket.send(Buffer.from("\x1bcscreen"));
    socket.send(Buffer.from("live"));
  };
  const terminal = await attach();
  await terminal.waitForBytes("live");
  expect(terminal.runs.map(({ start, bytes }) => [start, bytes.toString()])).toEqual([
    [0, "lost"],
    [500, "live"],
  ]);
});

test("a breach of the protocol fails the next wait", async () => {
  onVisit = ({ socket }) => {
    socket.send(attached(0, "snapshot"));
    socket.send(JSON.stringify({ type: "resized", cols: 10, rows: 10 }));
  };
  const terminal = await attach().catch((error: unknown) => error);
  if (terminal instanceof Error) expect(terminal.message).toContain("snapshot was due");
  else
    await expect((terminal as Awaited<ReturnType<typeof attach>>).waitForText("x")).rejects.toThrow("snapshot was due");
});

test("a refused upgrade is told by its status", async () => {
  refusal = 403;
  const error = await attach().catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(AttachRefused);
  expect(error).toMatchObject({ status: 403 });
});

test("tells how the program ended", async () => {
  onVisit = ({ socket }) => {
    socket.send(attached(0, "snapshot"));
    socket.send(Buffer.alloc(0));
    socket.send(JSON.stringify({ type: "exit", code: 3, signal: null }));
    socket.close(1000);
  };
  const terminal = await attach({ reconnectMs: 5000 });
  expect(await terminal.waitForExit()).toEqual({ code: 3, signal: null });
  expect(visits).toHaveLength(1);
});
