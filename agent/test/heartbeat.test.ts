import { EventEmitter } from "node:events";
import { ManualClock } from "@berth/testkit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Heartbeat } from "../src/agent/heartbeat.ts";

class FakeSocket extends EventEmitter {
  pings = 0;
  terminated = false;

  ping(): void {
    this.pings += 1;
  }

  terminate(): void {
    this.terminated = true;
  }
}

let clock: ManualClock;
let socket: FakeSocket;
let beats: number;
let heartbeat: Heartbeat;

beforeEach(() => {
  clock = new ManualClock();
  socket = new FakeSocket();
  beats = 0;
  heartbeat = new Heartbeat(socket, clock, () => {
    beats += 1;
  });
});

afterEach(() => heartbeat.stop());

describe("the heartbeat of a link", () => {
  it("ends a link that died without a word within 15 seconds, whatever rhythm the controller names", async () => {
    heartbeat.start(60_000);
    await clock.advance(3_000);
    socket.emit("pong");
    await clock.advance(14_999);
    expect(socket).toMatchObject({ terminated: false, pings: 2 });
    await clock.advance(1);
    expect(socket.terminated).toBe(true);
    expect(beats).toBe(6);
    expect(clock.pending).toBe(0);
  });

  it.each(["message", "ping", "pong"])("takes any %s for a sign of life", async (event) => {
    for (let beat = 0; beat < 10; beat += 1) {
      await clock.advance(12_000);
      socket.emit(event);
    }
    expect(socket).toMatchObject({ terminated: false, pings: 20 });
  });

  it("asks no more than every nine seconds a controller that answers", async () => {
    socket.ping = () => {
      socket.pings += 1;
      socket.emit("pong");
    };
    for (let beat = 0; beat < 30; beat += 1) await clock.advance(3_000);
    expect(socket).toMatchObject({ terminated: false, pings: 10 });
  });

  it("begins the rhythm anew when the controller names a quicker one", async () => {
    await clock.advance(2_000);
    heartbeat.start(1_000);
    await clock.advance(3_000);
    expect(socket.pings).toBe(1);
    expect(clock.pending).toBe(1);
  });

  it("stops", async () => {
    heartbeat.stop();
    await clock.advance(60_000);
    expect(socket.pings).toBe(0);
  });
});
