import { defineConfig } from "tsdown";

/** One file: a command that is typed often has to start at once, and needs nothing beside it. */
export default defineConfig({
  entry: { berth: "src/main.ts" },
  format: "esm",
  platform: "node",
  target: "node22",
  outDir: "dist",
  dts: false,
  fixedExtension: true,
  outputOptions: { codeSplitting: false, banner: "#!/usr/bin/env node" },
  deps: { alwaysBundle: [/.*/], neverBundle: ["bufferutil", "utf-8-validate"], onlyBundle: false as const },
});
