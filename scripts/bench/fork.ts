import { randomBytes } from "node:crypto";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { deleteSandbox, forkSandbox, type Operation, type Sandbox } from "@berth/protocol";
import type { Berth } from "@berth/testkit";
import type { BenchContext, Benchmark, Measurement } from "./benchmark.ts";
import { BareProxmox } from "./floor/bare-proxmox.ts";
import { operationEnded } from "./operation-ended.ts";
import { median } from "./statistics.ts";
import { onEachBackend, ownBerth } from "./whole-berth.ts";

const ownShareGoalMs = 1_000;
/** What is in the sandbox that is copied. */
const contentBytes = 2_000_000_000;
const chunkBytes = 20_000_000;

interface Round {
  /** From `POST /sandboxes/{id}/fork` until the copy is ready. */
  readonly totalMs: number;
  /** For how long of it tasks of Proxmox ran: the snapshot, the clone, the snapshot's removal, the start. */
  readonly tasksMs: number;
  /** From the start of the container until it had an address. */
  readonly addressMs: number;
}

/** A copy of a sandbox that runs, with two gigabytes in it. */
export const fork: Benchmark = {
  name: "fork",
  about:
    "POST /sandboxes/{id}/fork of a running sandbox with 2 GB until the copy is ready, and Berth's own share of it",
  defaultRuns: 3,
  run(context) {
    return onEachBackend(context, async (backend) => measurements(await measureBackend(context, backend), backend));
  },
};

async function measureBackend(context: BenchContext, backend: string): Promise<Round[]> {
  const berth = await ownBerth(context, { env: { BERTH_BACKEND: backend } });
  await berth.start();
  const sandbox = await berth.readySandbox();
  await fill(join(await berth.rootOf(sandbox), "workspace/large"), context);
  const proxmox = await BareProxmox.of(berth, context.scope);
  const rounds: Round[] = [];
  for (let run = 0; run < context.runs; run += 1) {
    context.signal.throwIfAborted();
    const round = await timedFork(berth, proxmox, sandbox);
    rounds.push(round);
    const { totalMs, tasksMs, addressMs } = round;
    context.note(`total ${Math.round(totalMs)} ms, tasks ${Math.round(tasksMs)} ms, address ${addressMs} ms`);
  }
  await berth.stop();
  return rounds;
}

/** Random bytes, which no file system makes smaller. */
async function fill(path: string, { signal }: BenchContext): Promise<void> {
  const file = await open(path, "w");
  try {
    for (let written = 0; written < contentBytes; written += chunkBytes) {
      signal.throwIfAborted();
      await file.write(randomBytes(chunkBytes));
    }
    await file.sync();
  } finally {
    await file.close();
  }
}

async function timedFork(berth: Berth, proxmox: BareProxmox, { id }: Sandbox): Promise<Round> {
  const begun = performance.now();
  const { sandbox, operation } = await berth.client.call(forkSandbox, { params: { id }, body: {} });
  const done = operationEnded(berth, operation.id).then((ended) => ({ ended, totalMs: performance.now() - begun }));
  const tasksMs = await proxmox.tasksDuring(done);
  const { ended, totalMs } = await done;
  const { operation: removal } = await berth.client.call(deleteSandbox, { params: { id: sandbox.id } });
  await berth.ended(removal.id);
  return { totalMs, tasksMs, addressMs: durationOf(ended, "address") };
}

function durationOf({ steps }: Operation, name: string): number {
  const { startedAt = null, finishedAt = null } = steps.find((step) => step.name === name) ?? {};
  return startedAt !== null && finishedAt !== null ? Date.parse(finishedAt) - Date.parse(startedAt) : 0;
}

function measurements(rounds: readonly Round[], backend: string): Measurement[] {
  const column = (part: keyof Round) => rounds.map((round) => round[part]);
  const shares = rounds.map(({ totalMs, tasksMs, addressMs }) => totalMs - tasksMs - addressMs);
  return [
    {
      name: `a copy, ready (${backend})`,
      unit: "ms",
      value: median(column("totalMs")),
      details: { runs: column("totalMs"), tasks: column("tasksMs"), address: column("addressMs") },
    },
    {
      name: `Berth's own share (${backend})`,
      unit: "ms",
      value: median(shares),
      goal: { kind: "value", atMost: ownShareGoalMs },
      details: { runs: shares },
    },
  ];
}
