import { defineConfig } from "vitest/config";

const roots = ["packages/*", "controller", "agent", "web", "template", "scripts/check", "scripts/bench"];
const named = (suffix: string) => roots.map((root) => `${root}/test/**/*.${suffix}.ts`);

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
      { test: { name: "integration", include: named("integration.test"), testTimeout: 60_000, hookTimeout: 60_000 } },
      {
        test: {
          name: "e2e",
          include: named("e2e.test"),
          testTimeout: 180_000,
          hookTimeout: 180_000,
          fileParallelism: false,
        },
      },
      // Hours long as a whole: only `npm run sweep` runs it.
      ...(process.env.SWEEP_BACKEND
        ? [{ test: { name: "sweep", include: named("sweep"), testTimeout: 300_000, hookTimeout: 300_000 } }]
        : []),
    ],
  },
});
