import { getSandbox, type Sandbox, sleepSandbox, type Terminal } from "@berth/protocol";
import { attachTerminal, type Berth, eventually, type MessagesStub, startMessagesStub } from "@berth/testkit";
import type { BenchContext, Benchmark, Measurement } from "./benchmark.ts";
import { bareClaude, claudePrompt } from "./floor/bare-claude.ts";
import { BareProxmox } from "./floor/bare-proxmox.ts";
import { median } from "./statistics.ts";
import { onEachBackend, ownBerth } from "./whole-berth.ts";

/** What a wake may take beyond the container's own start and Claude's own. */
const ownShareGoalMs = 500;
const size = { cols: 120, rows: 32 };

/** Claude's prompt, and not that of a life before. */
const newestPrompt = new RegExp(`${claudePrompt.source}(?![\\s\\S]*started anew)`, claudePrompt.flags);

/** One round: a sandbox that sleeps is attached to, and the parts of that which are not Berth's, each by itself. */
interface Round {
  readonly totalMs: number;
  /** A bare container's start, until it has its address. */
  readonly containerMs: number;
  readonly claudeMs: number;
}

/** From an attach to a terminal of a sandbox that sleeps until Claude's prompt is on the viewer's screen. */
export const wake: Benchmark = {
  name: "wake",
  about: "attaching to a sandbox that sleeps to Claude's prompt on the screen, and Berth's own share of it",
  defaultRuns: 5,
  run(context) {
    return onEachBackend(context, async (backend) => measurements(await measureBackend(context, backend), backend));
  },
};

async function measureBackend(context: BenchContext, backend: string): Promise<Round[]> {
  const stub = await startMessagesStub();
  context.scope.add(() => stub.dispose());
  const { ANTHROPIC_BASE_URL = "", ANTHROPIC_AUTH_TOKEN = "" } = stub.environment;
  const env = { ANTHROPIC_BASE_URL, ANTHROPIC_AUTH_TOKEN, BERTH_BACKEND: backend, BERTH_SLEEP_AFTER: "off" };
  const berth = await ownBerth(context, { env });
  await berth.start();
  const proxmox = await BareProxmox.of(berth, context.scope);
  const sandbox = await berth.readySandbox({ env: stub.environment });
  const claude = await berth.openTerminal(sandbox.id, { kind: "claude", ...size });
  await prompted(berth, claude, 1);
  // The first one reads everything from the disk: it is left out.
  await measureRound(context, { berth, stub, proxmox, sandbox, claude, epoch: 2 });
  const rounds: Round[] = [];
  for (let run = 0; run < context.runs; run += 1) {
    const round = await measureRound(context, { berth, stub, proxmox, sandbox, claude, epoch: run + 3 });
    rounds.push(round);
    const { totalMs, containerMs, claudeMs } = round;
    context.note(
      `total ${Math.round(totalMs)} ms, bare start and address ${Math.round(containerMs)} ms, bare Claude ${Math.round(claudeMs)} ms`,
    );
  }
  await berth.stop();
  return rounds;
}

interface Sleeper {
  readonly berth: Berth;
  readonly stub: MessagesStub;
  readonly proxmox: BareProxmox;
  readonly sandbox: Sandbox;
  readonly claude: Terminal;
  /** Of the life of Claude's that begins with the wake. */
  readonly epoch: number;
}

async function measureRound(context: BenchContext, sleeper: Sleeper): Promise<Round> {
  context.signal.throwIfAborted();
  const { berth, stub, proxmox, sandbox, claude, epoch } = sleeper;
  const claudeMs = await bareClaude(stub.environment, size, context);
  const { startMs, addressMs } = await proxmox.cloneAndStart();
  await putToSleep(berth, sandbox);
  const begun = performance.now();
  await prompted(berth, claude, epoch);
  return { totalMs: performance.now() - begun, containerMs: startMs + addressMs, claudeMs };
}

/** Attaches until Claude's prompt of this life is there. */
async function prompted(berth: Berth, { id }: Terminal, epoch: number): Promise<void> {
  const viewer = await attachTerminal({ url: berth.url, token: berth.token, terminalId: id, ...size });
  try {
    await viewer.waitForText(newestPrompt, 60_000);
    if (viewer.epoch !== epoch) throw new Error(`the terminal is in its life ${viewer.epoch}, not ${epoch}`);
  } finally {
    await viewer.close();
  }
}

/** It agrees once its Claude, which has just started, says that it is idle. */
async function putToSleep(berth: Berth, { id }: Sandbox): Promise<void> {
  await eventually(async () => (await berth.client.call(getSandbox, { params: { id } })).attention === "idle");
  const { operation } = await berth.client.call(sleepSandbox, { params: { id } });
  await berth.ended(operation.id);
}

function measurements(rounds: readonly Round[], backend: string): Measurement[] {
  const column = (part: keyof Round) => rounds.map((round) => round[part]);
  const shares = rounds.map(({ totalMs, containerMs, claudeMs }) => totalMs - containerMs - claudeMs);
  return [
    {
      name: `wake to Claude's prompt (${backend})`,
      unit: "ms",
      value: median(column("totalMs")),
      floor: median(rounds.map(({ containerMs, claudeMs }) => containerMs + claudeMs)),
      details: { runs: column("totalMs"), bareStart: column("containerMs"), bareClaude: column("claudeMs") },
    },
    {
      name: `Berth's own share of a wake (${backend})`,
      unit: "ms",
      value: median(shares),
      goal: { kind: "value", atMost: ownShareGoalMs },
      details: { runs: shares },
    },
  ];
}
