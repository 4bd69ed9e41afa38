import "../small-limits.ts";
// Loaded on demand by the PTY host: that it takes real time must not count.
import "../../../agent/src/pty-host/screen-model.ts";
import { cpuUsage, env } from "node:process";
import { describe, expect, it, vi } from "vitest";
import { connect, dialController, fileSystem } from "../machine.ts";
import { type Mix, play, ScheduleFailure } from "../schedule.ts";

vi.mock("node:fs/promises", () => ({ ...fileSystem, default: fileSystem }));
vi.mock("node:net", async (original) => ({ ...(await original<typeof import("node:net")>()), connect }));
vi.mock("../../../agent/src/agent/controller-socket.ts", () => ({
  dialController,
  isRefusal: () => false,
  Refused: class extends Error {},
}));

const firstSeed = Number(env.FUZZ_SEED ?? 1);
/** Schedules in all; each mix plays its share of them. */
const runs = Number(env.FUZZ_RUNS ?? 10_000);
const timeoutMs = 60_000 + runs * 60;

const ordinary: Mix = { deliver: 50, timer: 14, disk: 6, emit: 10, read: 1, type: 6, digest: 12, fit: 1 };
const mixes: readonly { name: string; share: number; events: number; mix: Mix }[] = [
  { name: "delays and floods", share: 0.15, events: 110, mix: { ...ordinary, flood: 4, poke: 1 } },
  {
    name: "cuts, silence and reloads of browsers",
    share: 0.4,
    events: 120,
    mix: { ...ordinary, flood: 1, sleep: 1, cut: 5, freeze: 0.7, poke: 1, answer: 2, reload: 1, suspend: 0.7 },
  },
  {
    name: "kills of the controller and the agent",
    share: 0.25,
    events: 120,
    mix: {
      ...ordinary,
      flood: 1,
      sleep: 1,
      cut: 1,
      killController: 1.5,
      killAgent: 1.5,
      start: 4,
      answer: 1,
      reload: 0.5,
    },
  },
  {
    name: "kills of the PTY host, ends of programs and a full disk",
    share: 0.2,
    events: 150,
    mix: {
      ...ordinary,
      ...{ disk: 25, sleep: 2, flood: 1, cut: 1, killPtyHost: 1.2, killAgent: 0.4, start: 4, exit: 0.2, answer: 2 },
      ...{ fullDisk: 0.5, reload: 0.5, suspend: 1 },
    },
  },
];

describe("a terminal's bytes, through", () => {
  it.each(mixes)("$name", { timeout: timeoutMs }, async ({ name, share, events, mix }) => {
    const count = Math.ceil(runs * share);
    const total = { exactBytes: 0, snapshots: 0, events: 0 };
    const before = cpuUsage();
    for (let seed = firstSeed; seed < firstSeed + count; seed += 1) {
      const outcome = await playOrShrink(seed, events, mix);
      total.exactBytes += outcome.exactBytes;
      total.snapshots += outcome.snapshots;
      total.events += outcome.events;
    }
    const seconds = cpuUsage(before).user / 1e6;
    process.stderr.write(
      `${name}: ${count} schedules from seed ${firstSeed} on, ${total.events} events, ${total.exactBytes} bytes checked, ${total.snapshots} snapshots, ${seconds.toFixed(1)} s of CPU\n`,
    );
    expect(total.exactBytes).toBeGreaterThan(count * 100);
    expect(total.snapshots).toBeGreaterThan(count / 2);
  });
});

/** Plays a schedule; one that fails is cut to the fewest events that still fail, and told with what happened last. */
async function playOrShrink(seed: number, events: number, mix: Mix) {
  try {
    return await play({ seed, events, mix });
  } catch (error) {
    if (!(error instanceof ScheduleFailure)) throw error;
    let shortest = { events, error };
    for (let fewer = 1; fewer < events; fewer = Math.max(fewer + 1, Math.floor(fewer * 1.2))) {
      const failure = await play({ seed, events: fewer, mix }).then(
        () => undefined,
        (again: unknown) => again,
      );
      if (!(failure instanceof ScheduleFailure)) continue;
      shortest = { events: fewer, error: failure };
      break;
    }
    const { message, notes, cause } = shortest.error;
    throw new Error(
      `seed ${seed}, ${shortest.events} events: ${message}\n${notes.join("\n")}\nPlay it again: FUZZ_SEED=${seed} FUZZ_RUNS=1`,
      { cause },
    );
  }
}
