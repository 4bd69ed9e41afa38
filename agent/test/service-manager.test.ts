import { ManualClock } from "@berth/testkit";
import { beforeEach, describe, expect, it } from "vitest";
import { createLog } from "../src/log.ts";
import { type ServiceManager, serviceManager } from "../src/service-manager.ts";

let clock: ManualClock;
let logged: string[];
/** Each message, with what lets its sending end. */
let sent: { words: readonly string[]; done(error?: Error): void }[];

beforeEach(() => {
  clock = new ManualClock();
  logged = [];
  sent = [];
});

function manager(environment: Record<string, string>): ServiceManager {
  const send = (words: readonly string[]) =>
    new Promise<void>((resolve, reject) => {
      sent.push({ words, done: (error) => (error ? reject(error) : resolve()) });
    });
  return serviceManager(environment, { clock, log: createLog("test", (line) => logged.push(line)), send });
}

/** Lets the message number `index` arrive, and what follows it begin. */
async function arrive(index: number, error?: Error): Promise<void> {
  sent[index]?.done(error);
  await clock.advance(0);
}

const underSystemd = { NOTIFY_SOCKET: "/run/systemd/notify", WATCHDOG_USEC: "30000000" };

describe("a program under systemd", () => {
  it("tells one message at a time, and together what has gathered meanwhile", async () => {
    const systemd = manager(underSystemd);
    systemd.tell({ READY: "1", STATUS: "first" });
    systemd.tell({ STATUS: "second\nline" });
    systemd.tell({ WATCHDOG: "1", STATUS: "third\nline" });
    expect(sent.map(({ words }) => words)).toEqual([["READY=1", "STATUS=first"]]);
    await arrive(0);
    expect(sent[1]?.words).toEqual(["STATUS=third line", "WATCHDOG=1"]);
  });

  it("lets a status wait for what else there is to tell, and the latest one wins", async () => {
    const systemd = manager(underSystemd);
    systemd.tell({ READY: "1", STATUS: "starts" });
    systemd.tell({ STATUS: "linked" });
    await arrive(0);
    expect(sent).toHaveLength(1);
    await clock.advance(5_000);
    systemd.tell({ STATUS: "linked again" });
    systemd.tell({ WATCHDOG: "1" });
    expect(sent[1]?.words).toEqual(["STATUS=linked again", "WATCHDOG=1"]);
    await arrive(1);
    expect(clock.pending).toBe(0);
  });

  it("tells a status alone after ten seconds, however often it changes, and keeps no program from its end", async () => {
    const systemd = manager(underSystemd);
    for (let second = 0; second < 10; second += 1) {
      systemd.tell({ STATUS: `status ${second}` });
      expect(sent).toHaveLength(0);
      await clock.advance(1_000);
    }
    expect(sent.map(({ words }) => words)).toEqual([["STATUS=status 9"]]);
    await arrive(0);
    systemd.tell({ STATUS: "no link" });
    systemd.tell({ STOPPING: "1" });
    expect(sent[1]?.words).toEqual(["STATUS=no link", "STOPPING=1"]);
    expect(clock.pending).toBe(0);
  });

  it("goes on when systemd cannot be told, and logs that once", async () => {
    const systemd = manager(underSystemd);
    for (let index = 0; index < 3; index += 1) {
      systemd.tell({ WATCHDOG: "1" });
      await arrive(index, new Error("no such program"));
    }
    expect(sent).toHaveLength(3);
    expect(logged).toHaveLength(1);
  });

  it("answers the watchdog three times in its time while the work goes on", async () => {
    let turns = 0;
    const stop = manager(underSystemd).keepAlive(() => ++turns);
    for (let index = 0; index < 6; index += 1) {
      await clock.advance(10_000);
      expect(sent[index]?.words).toEqual(["WATCHDOG=1"]);
      await arrive(index);
    }
    stop();
    await clock.advance(60_000);
    expect(sent).toHaveLength(6);
    expect(clock.pending).toBe(0);
  });

  it("leaves the watchdog unanswered once the work stands still for twelve looks", async () => {
    let turns = 0;
    const stop = manager(underSystemd).keepAlive(() => turns);
    const look = async () => {
      const before = sent.length;
      await clock.advance(10_000);
      await arrive(sent.length - 1);
      return sent.length > before;
    };
    for (let looks = 0; looks < 12; looks += 1) expect(await look()).toBe(true);
    expect(await look()).toBe(false);
    expect(logged.join()).toContain("stands still");
    turns += 1;
    expect(await look()).toBe(true);
    stop();
  });
});

describe("a program that nobody supervises", () => {
  it("tells nothing and keeps no timer", () => {
    const nobody = manager({ WATCHDOG_USEC: "30000000" });
    nobody.tell({ READY: "1" });
    nobody.keepAlive(() => 0);
    expect(sent).toEqual([]);
    expect(clock.pending).toBe(0);
  });

  it("answers no watchdog where there is none", () => {
    const unwatched = manager({ NOTIFY_SOCKET: "/run/systemd/notify" });
    unwatched.keepAlive(() => 0);
    expect(clock.pending).toBe(0);
  });
});
