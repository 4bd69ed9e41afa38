import { deleteSandbox } from "@berth/protocol";
import type { Berth } from "@berth/testkit";
import type { Benchmark, Measurement } from "./benchmark.ts";
import { BareProxmox } from "./floor/bare-proxmox.ts";
import { operationEnded } from "./operation-ended.ts";
import { median, medianRatio } from "./statistics.ts";
import { ownBerth, possibleBackends } from "./whole-berth.ts";

const count = 20;
const goalRatio = 1.5;

/** One round: all at once by Berth until the last is ready, and by a bare script until the last one's sshd speaks. */
interface Round {
  readonly value: number;
  readonly floor: number;
  /** When each was ready, the first one first. */
  readonly readyMs: readonly number[];
}

/** Twenty sandboxes at once, on the most real containers that there are. */
export const fleet: Benchmark = {
  name: "fleet",
  about: `${count} sandboxes at once until the last is ready, by a bare script that clones, starts and awaits as many`,
  defaultRuns: 3,
  async run(context) {
    const backend = possibleBackends().at(-1) ?? "process";
    context.note(`containers of the backend "${backend}"`);
    const berth = await ownBerth(context, { env: { BERTH_BACKEND: backend } });
    await berth.start();
    const proxmox = await BareProxmox.of(berth, context.scope);
    // The first one reads everything from the disk.
    await proxmox.cloneAndStart();
    const rounds: Round[] = [];
    for (let run = 0; run < context.runs; run += 1) {
      context.signal.throwIfAborted();
      const bare = await proxmox.bringUp(count);
      await bare.removeAll();
      const readyMs = await createAll(berth);
      rounds.push({ value: readyMs.at(-1) ?? 0, floor: bare.ms, readyMs });
      context.note(`Berth ${Math.round(readyMs.at(-1) ?? 0)} ms, bare ${Math.round(bare.ms)} ms`);
    }
    return [measurement(rounds, backend)];
  },
};

/** Makes them, and removes them when all are ready. Answers when each was, the first one first. */
async function createAll(berth: Berth): Promise<number[]> {
  const begun = performance.now();
  const made = await Promise.all(
    Array.from({ length: count }, async () => {
      const { sandbox, operation } = await berth.create();
      await operationEnded(berth, operation.id);
      return { sandbox, readyMs: performance.now() - begun };
    }),
  );
  await Promise.all(
    made.map(async ({ sandbox }) => {
      const { operation } = await berth.client.call(deleteSandbox, { params: { id: sandbox.id } });
      await operationEnded(berth, operation.id);
    }),
  );
  return made.map(({ readyMs }) => readyMs).sort((one, other) => one - other);
}

function measurement(rounds: readonly Round[], backend: string): Measurement {
  return {
    name: `the last of ${count} ready (${backend})`,
    unit: "ms",
    value: median(rounds.map(({ value }) => value)),
    floor: median(rounds.map(({ floor }) => floor)),
    ratio: medianRatio(rounds),
    goal: { kind: "ratio", atMost: goalRatio },
    details: Object.fromEntries(rounds.map(({ readyMs }, index) => [`ready in run ${index + 1}`, readyMs])),
  };
}
