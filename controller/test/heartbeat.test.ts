import { EventEmitter } from "node:events";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { WebSocket } from "ws";
import { watchHeartbeat } from "../src/heartbeat.ts";

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

describe("the heartbeat of a connection", () => {
  let socket: Socket;
  beforeEach(() => {
    vi.useFakeTimers();
    socket = new Socket();
    watchHeartbeat(socket as unknown as WebSocket, everyMs);
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
