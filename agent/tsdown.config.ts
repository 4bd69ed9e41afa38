import { defineConfig } from "tsdown";

/** One file a program, which needs nothing beside it but what has native parts. */
const programs = { agent: "src/agent/main.ts", "pty-host": "src/pty-host/main.ts", launch: "src/launch/main.ts" };

/**
 * TypeBox as a namespace, of which only what is used comes into a bundle; its default export is an object with all of
 * it. A third of what the start of these small programs takes would be parts of TypeBox that they never call.
 */
const typeboxInParts = {
  name: "typebox-in-parts",
  transform: {
    filter: { code: /from "typebox"/ },
    handler: (code: string) =>
      code.replace(/import Type(?:, \{[^}]*\})? from "typebox"/, 'import * as Type from "typebox"'),
  },
};

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
    // Many sandboxes start at once, on few processors: there is less to read, and names stay for what a log says.
    minify: { compress: true, mangle: false, codegen: { removeWhitespace: true } },
    treeshake: { moduleSideEffects: false },
    plugins: [typeboxInParts],
    deps: {
      alwaysBundle: [/.*/],
      neverBundle: ["node-pty", /^node-pty\//, "bufferutil", "utf-8-validate"],
      onlyBundle: false as const,
    },
  })),
);
