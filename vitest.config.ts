import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

const roots = [
  "packages/*",
  "controller",
  "agent",
  "web",
  "template",
  "scripts/check",
  "scripts/bench",
  "scripts/simulation",
];
const named = (suffix: string) => roots.map((root) => `${root}/test/**/*.${suffix}.ts`);

const onProcesses = ["lifecycle", "many", "*.process"].flatMap((name) =>
  named("e2e.test").map((path) => path.replace("*.e2e", `${name}.e2e`)),
);

/** Files at once. Even on two cores three: each waits now and then, for the others' benefit. */
const cores = availableParallelism();
const filesAtOnce = Math.max(3, cores - 1);
/** Files at once of which each has a whole Berth, or three: some ten processes, which keep a core busy. */
const berthsAtOnce = Math.max(2, Math.floor(cores / 2));

/**
 * What has many programs in it may meet, on a machine of two cores, what it waits too short for. Where nobody looks on
 * (CI) it gets a second go, and the run's end names it: to be mended all the same. What decides alone gets none.
 */
const secondGo = process.env.CI ? 1 : 0;

/** Files that take a minute or more: begun first, nothing waits for them in the end. */
const lasting = [
  "schedules",
  "whole.sweep",
  "workspace-trees.lxc",
  "network.lxc",
  "template-boot.lxc",
  "faults.integration",
  "lxc-network-repair",
  "updates.integration",
  "lifecycle",
];

class LastingFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification) => {
      const place = lasting.findIndex((name) => moduleId.includes(`/${name}.`));
      return place === -1 ? lasting.length : place;
    };
    return (await super.sort(files)).toSorted((one, other) => rank(one) - rank(other));
  }
}

/** A Berth has ports, a data directory, a network and containers of its own, so that any number can be side by side. */
function withBerths(name: string, more: { include: string[]; exclude?: string[]; env?: Record<string, string> }) {
  return {
    test: {
      name,
      setupFiles: ["vitest.machine.ts", "vitest.berths.ts"],
      testTimeout: 180_000,
      hookTimeout: 180_000,
      retry: secondGo,
      maxWorkers: berthsAtOnce,
      // After all that is quick, whose times are not to be theirs.
      sequence: { groupOrder: 1 },
      ...more,
    },
  };
}

export default defineConfig({
  test: {
    sequence: { sequencer: LastingFirst },
    projects: [
      {
        test: {
          name: "unit",
          setupFiles: ["vitest.setup.ts"],
          include: roots.map((root) => `${root}/test/**/*.test.ts`),
          exclude: [...named("integration.test"), ...named("e2e.test"), "**/node_modules/**"],
          // Against what hangs: how long anything takes is the benchmarks' to judge, and other work may be on the machine.
          testTimeout: 30_000,
          maxWorkers: filesAtOnce,
        },
      },
      {
        test: {
          name: "integration",
          setupFiles: ["vitest.machine.ts"],
          include: named("integration.test"),
          testTimeout: 60_000,
          hookTimeout: 60_000,
          retry: secondGo,
          maxWorkers: filesAtOnce,
        },
      },
      // The whole of Berth on real containers; and on processes what they make a difference to.
      withBerths("e2e", {
        include: named("e2e.test"),
        exclude: named("process.e2e.test"),
        env: { BERTH_TEST_BACKEND: "lxc" },
      }),
      withBerths("e2e-process", { include: onProcesses, env: { BERTH_TEST_BACKEND: "process" } }),
      // Hours long as a whole: only `npm run sweep` runs it, and CI a share of it.
      ...(process.env.SWEEP_BACKEND ? [withBerths("sweep", { include: named("sweep") })] : []),
    ],
  },
});
