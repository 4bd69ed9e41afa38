import { defineConfig } from "vitest/config";

const roots = ["packages/*", "controller", "agent", "web", "template", "scripts/check", "scripts/bench"];
const named = (suffix: string) => roots.map((root) => `${root}/test/**/*.${suffix}.ts`);

const onProcesses = ["lifecycle", "claude-resume", "console", "terminals", "many", "*.process"].flatMap((name) =>
  named("e2e.test").map((path) => path.replace("*.e2e", `${name}.e2e`)),
);

function endToEnd(name: string, backend: "lxc" | "process", files: { include: string[]; exclude: string[] }) {
  return {
    test: {
      name,
      setupFiles: ["vitest.machine.ts"],
      ...files,
      env: { BERTH_TEST_BACKEND: backend },
      testTimeout: 180_000,
      hookTimeout: 180_000,
      fileParallelism: false,
    },
  };
}

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: "unit",
          setupFiles: ["vitest.setup.ts"],
          include: roots.map((root) => `${root}/test/**/*.test.ts`),
          exclude: [...named("integration.test"), ...named("e2e.test"), "**/node_modules/**"],
        },
      },
      {
        test: {
          name: "integration",
          setupFiles: ["vitest.machine.ts"],
          include: named("integration.test"),
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      // The whole of Berth on real containers; and on processes what they make a difference to.
      endToEnd("e2e", "lxc", { include: named("e2e.test"), exclude: named("process.e2e.test") }),
      endToEnd("e2e-process", "process", { include: onProcesses, exclude: [] }),
      // Hours long as a whole: only `npm run sweep` runs it.
      ...(process.env.SWEEP_BACKEND
        ? [
            {
              test: {
                name: "sweep",
                setupFiles: ["vitest.machine.ts"],
                include: named("sweep"),
                testTimeout: 300_000,
                hookTimeout: 300_000,
              },
            },
          ]
        : []),
    ],
  },
});
