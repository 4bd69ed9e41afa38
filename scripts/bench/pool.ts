import { createTerminal, deleteSandbox, getPool } from "@berth/protocol";
import { attachTerminal, type Berth, eventually, type MessagesStub, startMessagesStub } from "@berth/testkit";
import type { BenchContext, Benchmark, Measurement } from "./benchmark.ts";
import { bareClaude, claudePrompt } from "./floor/bare-claude.ts";
import { operationEnded } from "./operation-ended.ts";
import { median } from "./statistics.ts";
import { onEachBackend, ownBerth } from "./whole-berth.ts";

const goalMs = 1_000;
const size = { cols: 120, rows: 32 };

interface Round {
  readonly totalMs: number;
  readonly readyMs: number;
  /** Claude's own start on this machine. */
  readonly claudeMs: number;
}

/** From `POST /sandboxes` until Claude's prompt is on a viewer's screen, where a sandbox waits in the warm pool. */
export const pool: Benchmark = {
  name: "pool",
  about: "POST /sandboxes to Claude's prompt on the screen, from the warm pool",
  defaultRuns: 5,
  run(context) {
    return onEachBackend(context, async (backend) => measurements(await measureBackend(context, backend), backend));
  },
};

async function measureBackend(context: BenchContext, backend: string): Promise<Round[]> {
  const stub = await startMessagesStub();
  context.scope.add(() => stub.dispose());
  const { ANTHROPIC_BASE_URL = "", ANTHROPIC_AUTH_TOKEN = "" } = stub.environment;
  const env = { ANTHROPIC_BASE_URL, ANTHROPIC_AUTH_TOKEN, BERTH_BACKEND: backend, BERTH_POOL_SIZE: "1" };
  const berth = await ownBerth(context, { env });
  await berth.start();
  // The first one reads everything from the disk: it is left out.
  await measureRound(context, berth, stub);
  const rounds: Round[] = [];
  for (let run = 0; run < context.runs; run += 1) {
    const round = await measureRound(context, berth, stub);
    rounds.push(round);
    const { totalMs, readyMs, claudeMs } = round;
    context.note(`total ${Math.round(totalMs)} ms, ready ${Math.round(readyMs)} ms, Claude ${Math.round(claudeMs)} ms`);
  }
  await berth.stop();
  return rounds;
}

async function measureRound(context: BenchContext, berth: Berth, stub: MessagesStub): Promise<Round> {
  context.signal.throwIfAborted();
  await eventually(async () => ((await berth.client.call(getPool, {})).ready === 1 ? true : undefined), {
    timeoutMs: 120_000,
    what: "a sandbox in the warm pool",
  });
  const claudeMs = await bareClaude(stub.environment, size, context);
  const begun = performance.now();
  const { sandbox, operation } = await berth.create({ env: stub.environment });
  await operationEnded(berth, operation.id);
  const readyMs = performance.now() - begun;
  const terminal = await berth.client.call(createTerminal, {
    params: { id: sandbox.id },
    body: { kind: "claude", ...size },
  });
  const viewer = await attachTerminal({ url: berth.url, token: berth.token, terminalId: terminal.id, ...size });
  try {
    await viewer.waitForText(claudePrompt, 30_000);
    return { totalMs: performance.now() - begun, readyMs, claudeMs };
  } finally {
    await viewer.close();
    const removal = await berth.client.call(deleteSandbox, { params: { id: sandbox.id } });
    await berth.ended(removal.operation.id);
  }
}

function measurements(rounds: readonly Round[], backend: string): Measurement[] {
  const column = (part: keyof Round) => rounds.map((round) => round[part]);
  const ownMs = rounds.map(({ totalMs, claudeMs }) => totalMs - claudeMs);
  return [
    {
      name: `from the warm pool to Claude's prompt (${backend})`,
      unit: "ms",
      value: median(column("totalMs")),
      floor: median(column("claudeMs")),
      ratio: median(rounds.map(({ totalMs, claudeMs }) => totalMs / claudeMs)),
      goal: { kind: "value", atMost: goalMs },
      details: { runs: column("totalMs"), ready: column("readyMs"), bareClaude: column("claudeMs"), berthsOwn: ownMs },
    },
  ];
}
