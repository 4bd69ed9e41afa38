import { defineConfig } from "tsdown";

/** One file a program, which needs nothing beside it but what has native parts. */
const programs = { agent: "src/agent/main.ts", "pty-host": "src/pty-host/main.ts", bootstrap: "src/bootstrap/main.ts" };

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
    deps: {
      alwaysBundle: [/.*/],
      neverBundle: ["node-pty", /^node-pty\//, "bufferutil", "utf-8-validate"],
      onlyBundle: false as const,
    },
  })),
);
