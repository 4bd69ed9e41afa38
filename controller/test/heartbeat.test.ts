import { EventEmitter } from "node:events";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { WebSocket } from "ws";
import { Heartbeats, watchHeartbeat } from "../src/heartbeat.ts";

/** As much of a socket as the heartbeat touches. */
class Socket extends EventEmitter {
  isPaused = false;
  pings = 0;
  terminated = false;

  ping(): void {
    this.pings += 1;
  }

  terminate(): void {
    this.terminated = true;
    this.emit("close");
  }
}

const everyMs = 1_000;

/** Both ways have the same promise. */
const ways: [string, (socket: WebSocket) => void][] = [
  ["a connection", (socket) => watchHeartbeat(socket, everyMs)],
  ["one of many connections", (socket) => new Heartbeats(everyMs).watch(socket)],
];

describe.each(ways)("the heartbeat of %s", (_name, watch) => {
  let socket: Socket;
  beforeEach(() => {
    vi.useFakeTimers();
    socket = new Socket();
    watch(socket as unknown as WebSocket);
  });
  afterEach(() => vi.useRealTimers());

  it("pings, and keeps whoever answers", () => {
    for (let beat = 0; beat < 10; beat++) {
      vi.advanceTimersByTime(everyMs);
      socket.emit("pong");
    }
    expect(socket).toMatchObject({ pings: 10, terminated: false });
  });

  it("asks nobody who shows life unasked", () => {
    for (let beat = 0; beat < 20; beat++) {
      vi.advanceTimersByTime(0.9 * everyMs);
      socket.emit("ping");
    }
    expect(socket).toMatchObject({ pings: 0, terminated: false });
  });

  it("cuts whoever is silent", () => {
    vi.advanceTimersByTime(2 * everyMs);
    expect(socket.terminated).toBe(false);
    vi.advanceTimersByTime(2 * everyMs);
    expect(socket.terminated).toBe(true);
  });

  it("leaves a socket alone that is paused, and for a while after", () => {
    socket.isPaused = true;
    vi.advanceTimersByTime(20 * everyMs);
    socket.isPaused = false;
    vi.advanceTimersByTime(2 * everyMs);
    expect(socket.terminated).toBe(false);
  });

  it("ends with the socket", () => {
    socket.emit("close");
    vi.advanceTimersByTime(10 * everyMs);
    expect(socket.pings).toBe(0);
  });
});

describe("the heartbeat of many connections", () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => vi.useRealTimers());

  it("is one timer, which asks each of them once a beat and ends with the last of them", () => {
    const heartbeats = new Heartbeats(everyMs);
    const sockets = Array.from({ length: 100 }, () => {
      const socket = new Socket();
      heartbeats.watch(socket as unknown as WebSocket);
      vi.advanceTimersByTime(everyMs / 50);
      return socket;
    });
    expect(vi.getTimerCount()).toBe(1);
    for (const socket of sockets) socket.emit("pong");
    const before = sockets.map(({ pings }) => pings);
    for (let part = 0; part < 100; part++) {
      vi.advanceTimersByTime(everyMs / 10);
      for (const socket of sockets) socket.emit("pong");
    }
    // Whoever is heard of is not asked.
    expect(sockets.map(({ pings }) => pings)).toEqual(before);
    vi.advanceTimersByTime(2 * everyMs);
    // Once a beat, as soon as one was silent for most of a beat.
    const asked = sockets.map(({ pings }, index) => pings - (before[index] ?? 0));
    expect(new Set(asked)).toEqual(new Set([1, 2]));
    for (const socket of sockets) socket.emit("close");
    expect(vi.getTimerCount()).toBe(0);
  });
});
