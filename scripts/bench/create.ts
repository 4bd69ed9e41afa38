import { createTerminal, deleteSandbox, type Operation, type Sandbox } from "@berth/protocol";
import { attachTerminal, type Berth, type MessagesStub, startMessagesStub } from "@berth/testkit";
import type { BenchContext, Benchmark, Measurement } from "./benchmark.ts";
import { bareClaude, claudePrompt } from "./floor/bare-claude.ts";
import { BareProxmox } from "./floor/bare-proxmox.ts";
import { operationEnded } from "./operation-ended.ts";
import { median } from "./statistics.ts";
import { onEachBackend, ownBerth } from "./whole-berth.ts";

const goalMs = 3_000;
const ownShareGoalMs = 1_000;
const size = { cols: 120, rows: 32 };

/** One round: a sandbox made by Berth, and the parts of it that are not Berth's, each by itself. */
interface Round {
  readonly totalMs: number;
  /** Until the sandbox is ready, and each of the steps to there. */
  readonly readyMs: number;
  readonly stepsMs: Readonly<Record<string, number>>;
  /** A bare clone, its start, and its address. */
  readonly containerMs: number;
  readonly claudeMs: number;
}

/** From `POST /sandboxes` until Claude's prompt is on a viewer's screen. */
export const create: Benchmark = {
  name: "create",
  about: "POST /sandboxes to Claude's prompt on the screen, and Berth's own share of it",
  defaultRuns: 5,
  run(context) {
    return onEachBackend(context, async (backend) => measurements(await measureBackend(context, backend), backend));
  },
};

async function measureBackend(context: BenchContext, backend: string): Promise<Round[]> {
  const stub = await startMessagesStub();
  context.scope.add(() => stub.dispose());
  const { ANTHROPIC_BASE_URL = "", ANTHROPIC_AUTH_TOKEN = "" } = stub.environment;
  const env = { ANTHROPIC_BASE_URL, ANTHROPIC_AUTH_TOKEN, BERTH_BACKEND: backend };
  const berth = await ownBerth(context, { env });
  await berth.start();
  const proxmox = await BareProxmox.of(berth, context.scope);
  // The first one reads everything from the disk: it is left out.
  await measureRound(context, berth, stub, proxmox);
  const rounds: Round[] = [];
  for (let run = 0; run < context.runs; run += 1) {
    const round = await measureRound(context, berth, stub, proxmox);
    rounds.push(round);
    context.note(told(round));
  }
  await berth.stop();
  return rounds;
}

function told({ totalMs, readyMs, containerMs, claudeMs }: Round): string {
  const parts = {
    total: totalMs,
    ready: readyMs,
    "bare clone, start and address": containerMs,
    "bare Claude": claudeMs,
  };
  return Object.entries(parts)
    .map(([part, ms]) => `${part} ${Math.round(ms)} ms`)
    .join(", ");
}

async function measureRound(
  context: BenchContext,
  berth: Berth,
  stub: MessagesStub,
  proxmox: BareProxmox,
): Promise<Round> {
  context.signal.throwIfAborted();
  const claudeMs = await bareClaude(stub.environment, size, context);
  const { cloneMs, startMs, addressMs } = await proxmox.cloneAndStart();
  const containerMs = cloneMs + startMs + addressMs;
  return { ...(await timedCreate(berth, stub)), containerMs, claudeMs };
}

async function timedCreate(berth: Berth, stub: MessagesStub): Promise<Pick<Round, "totalMs" | "readyMs" | "stepsMs">> {
  const begun = performance.now();
  const { sandbox, operation } = await berth.create({ env: stub.environment });
  const ended = await operationEnded(berth, operation.id);
  const readyMs = performance.now() - begun;
  const terminal = await berth.client.call(createTerminal, {
    params: { id: sandbox.id },
    body: { kind: "claude", ...size },
  });
  const viewer = await attachTerminal({ url: berth.url, token: berth.token, terminalId: terminal.id, ...size });
  try {
    await viewer.waitForText(claudePrompt, 30_000);
    return { totalMs: performance.now() - begun, readyMs, stepsMs: durations(ended) };
  } finally {
    await viewer.close();
    await remove(berth, sandbox);
  }
}

/** Milliseconds of each step that ran. */
function durations({ steps }: Operation): Record<string, number> {
  const ran = steps.flatMap(({ name, startedAt, finishedAt }) =>
    startedAt !== null && finishedAt !== null ? [[name, Date.parse(finishedAt) - Date.parse(startedAt)] as const] : [],
  );
  return Object.fromEntries(ran);
}

async function remove(berth: Berth, sandbox: Sandbox): Promise<void> {
  const { operation } = await berth.client.call(deleteSandbox, { params: { id: sandbox.id } });
  await berth.ended(operation.id);
}

function measurements(rounds: readonly Round[], backend: string): Measurement[] {
  const column = (part: Exclude<keyof Round, "stepsMs">) => rounds.map((round) => round[part]);
  const steps = Object.keys(rounds[0]?.stepsMs ?? {}).map((name) => {
    return [`step ${name}`, rounds.map(({ stepsMs }) => stepsMs[name] ?? 0)] as const;
  });
  const floors = rounds.map(({ containerMs, claudeMs }) => containerMs + claudeMs);
  const shares = rounds.map(({ totalMs, containerMs, claudeMs }) => totalMs - containerMs - claudeMs);
  const readyShares = rounds.map(({ readyMs, containerMs }) => readyMs - containerMs);
  return [
    {
      name: `to Claude's prompt (${backend})`,
      unit: "ms",
      value: median(column("totalMs")),
      floor: median(floors),
      ratio: median(rounds.map(({ totalMs, containerMs, claudeMs }) => totalMs / (containerMs + claudeMs))),
      // How long a real container boots is not Berth's to promise.
      ...(backend === "process" ? { goal: { kind: "value", atMost: goalMs } } : {}),
      details: {
        runs: column("totalMs"),
        ready: column("readyMs"),
        bareContainer: column("containerMs"),
        bareClaude: column("claudeMs"),
        ...Object.fromEntries(steps),
      },
    },
    {
      name: `Berth's own share (${backend})`,
      unit: "ms",
      value: median(shares),
      ...(backend === "process" ? { goal: { kind: "value", atMost: ownShareGoalMs } } : {}),
      details: { runs: shares },
    },
    {
      name: `Berth's own share of create to ready (${backend})`,
      unit: "ms",
      value: median(readyShares),
      goal: { kind: "value", atMost: ownShareGoalMs },
      details: { runs: readyShares },
    },
  ];
}
