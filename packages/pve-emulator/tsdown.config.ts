import { defineConfig } from "tsdown";

/** The emulator, and the init of its containers: one file a program, beside each other. */
const programs = { main: "src/main.ts", init: "src/backend/process/init.ts" };

export default defineConfig(
  Object.entries(programs).map(([name, entry]) => ({
    entry: { [name]: entry },
    format: "esm" as const,
    platform: "node" as const,
    target: "node22",
    outDir: "dist",
    dts: false,
    clean: [`dist/${name}.mjs`],
    fixedExtension: true,
    outputOptions: { codeSplitting: false },
    deps: { alwaysBundle: [/.*/], onlyBundle: false as const },
  })),
);
