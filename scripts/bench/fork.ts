import { randomBytes } from "node:crypto";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { deleteSandbox, forkSandbox, type Sandbox } from "@berth/protocol";
import type { Berth } from "@berth/testkit";
import type { BenchContext, Benchmark, Measurement } from "./benchmark.ts";
import { BareProxmox } from "./floor/bare-proxmox.ts";
import { operationEnded } from "./operation-ended.ts";
import { median } from "./statistics.ts";
import { ownBerth, possibleBackends } from "./whole-berth.ts";

const ownShareGoalMs = 1_000;
/** What is in the sandbox that is copied. */
const contentBytes = 2_000_000_000;
const chunkBytes = 20_000_000;

interface Round {
  /** From `POST /sandboxes/{id}/fork` until the copy is ready. */
  readonly totalMs: number;
  /** The same snapshot, clone, removal, start and address, with nothing around them. */
  readonly bareMs: number;
}

/** A copy of a sandbox that runs, with two gigabytes in it. */
export const fork: Benchmark = {
  name: "fork",
  about:
    "POST /sandboxes/{id}/fork of a running sandbox with 2 GB until the copy is ready, and Berth's own share of it",
  defaultRuns: 3,
  async run(context) {
    const measured: Measurement[] = [];
    for (const backend of possibleBackends()) {
      context.note(`containers of the backend "${backend}"`);
      measured.push(...measurements(await measureBackend(context, backend), backend));
    }
    return measured;
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
    const bareMs = await proxmox.copyAndStart(sandbox.vmid ?? 0);
    const totalMs = await timedFork(berth, sandbox);
    context.note(`total ${Math.round(totalMs)} ms, bare ${Math.round(bareMs)} ms`);
    rounds.push({ totalMs, bareMs });
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

async function timedFork(berth: Berth, { id }: Sandbox): Promise<number> {
  const begun = performance.now();
  const { sandbox, operation } = await berth.client.call(forkSandbox, { params: { id }, body: {} });
  await operationEnded(berth, operation.id);
  const ms = performance.now() - begun;
  const { operation: removal } = await berth.client.call(deleteSandbox, { params: { id: sandbox.id } });
  await berth.ended(removal.id);
  return ms;
}

function measurements(rounds: readonly Round[], backend: string): Measurement[] {
  const [totals, bare] = [rounds.map(({ totalMs }) => totalMs), rounds.map(({ bareMs }) => bareMs)];
  const shares = rounds.map(({ totalMs, bareMs }) => totalMs - bareMs);
  return [
    {
      name: `a copy, ready (${backend})`,
      unit: "ms",
      value: median(totals),
      floor: median(bare),
      ratio: median(rounds.map(({ totalMs, bareMs }) => totalMs / bareMs)),
      details: { runs: totals, bare },
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
