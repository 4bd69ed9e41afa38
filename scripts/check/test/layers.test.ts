import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { layerViolations } from "../layers.ts";
import { moduleFacts } from "../module-facts.ts";
import { sourceFiles } from "../sources.ts";

function violations(...files: [path: string, source: string][]): string[] {
  return layerViolations(files.map(([path, source]) => moduleFacts(path, source))).map(({ message }) => message);
}

test.each([
  ["packages/base/src/a.ts", `import "@berth/protocol";`, "is not above packages/protocol"],
  ["packages/protocol/src/a.ts", `export * from "@berth/proxmox";`, "is not above packages/proxmox"],
  ["packages/protocol/src/a.ts", `import "@berth/base/node";`, "runs in browsers too"],
  ["packages/proxmox/src/a.ts", `import "@berth/protocol";`, "is not above packages/protocol"],
  ["packages/pve-emulator/src/a.ts", `import "@berth/proxmox";`, "is not above packages/proxmox"],
  ["template/src/a.ts", `import "@berth/pve-emulator";`, "is not above packages/pve-emulator"],
  ["template/build.ts", `import "@berth/proxmox";`, "is not above packages/proxmox"],
  ["controller/src/a.ts", `import "@berth/template";`, "is not above template"],
  ["controller/src/http/a.ts", `import "@berth/pve-emulator";`, "is not above packages/pve-emulator"],
  ["controller/src/a.ts", `const a = await import("@berth/testkit");`, "for tests and benches alone"],
  ["controller/src/a.ts", `import "@berth/agent";`, "is not above agent"],
  ["agent/src/a.ts", `import type { A } from "@berth/proxmox";`, "is not above packages/proxmox"],
  ["agent/src/a.ts", `type A = import("@berth/controller").A;`, "is not above controller"],
  ["web/src/a.tsx", `import { join } from "node:path";`, "a browser does not have"],
  ["web/src/a.ts", `import "@berth/base/node";`, "runs in browsers too"],
  ["web/src/a.ts", `import "@berth/proxmox";`, "is not above packages/proxmox"],
  ["packages/cli/src/a.ts", `import "@berth/proxmox";`, "is not above packages/proxmox"],
  ["agent/src/a.ts", `import "../../controller/src/b.ts";`, "outside of agent"],
  ["agent/test/a.test.ts", `export { a } from "../../packages/base/src/clock.ts";`, "outside of agent"],
  ["agent/src/a.ts", `import "@berth/elsewhere";`, "no place in the layers"],
  ["packages/proxmox/src/a.ts", `const home = process.env.HOME;`, "reads process.env"],
])("%s may not say %s", (path, source, message) => {
  expect(violations([path, source])).toEqual([expect.stringContaining(message)]);
});

test.each([
  ["controller/src/embedded/emulator.ts", `import "@berth/pve-emulator"; import "@berth/base/node";`],
  ["controller/src/a.ts", `import "@berth/proxmox"; import "@berth/protocol/link"; import "node:fs"; import "pg";`],
  ["packages/pve-emulator/src/a.ts", `import "@berth/template"; import "./b.ts";`],
  ["controller/src/templates/a.ts", `import "@berth/template";`],
  ["controller/test/a.test.ts", `import "@berth/testkit"; import "../src/a.ts"; const a = process.env.A;`],
  ["web/vite.config.ts", `import "node:path";`],
])("%s may say %s", (path, source) => {
  expect(violations([path, source])).toEqual([]);
});

test.each([`process.env.A`, `process["env"]`, `const { env } = process;`, `import { env } from "node:process";`])(
  "a second file of a program may not read the environment by %s",
  (source) => {
    const settings: [string, string] = ["controller/src/settings.ts", "export const env = process.env;"];
    expect(violations(settings, ["controller/src/a.ts", source])).toEqual([
      expect.stringContaining("settings.ts does"),
    ]);
  },
);

test("each program of a workspace has its own place for the environment", () => {
  expect(violations(["agent/src/one/main.ts", "process.env.A"], ["agent/src/two/main.ts", "process.env.A"])).toEqual(
    [],
  );
});

test("a source that does not parse is an error, not a pass", () => {
  expect(() => moduleFacts("agent/src/a.ts", "import from from")).toThrow("agent/src/a.ts");
});

test("the repository's own sources hold the layers", async () => {
  const root = fileURLToPath(new URL("../../..", import.meta.url));
  const files = await sourceFiles(root, "*.ts", "*.tsx");
  expect(files.length).toBeGreaterThan(50);
  expect(layerViolations(files.map(({ path, text }) => moduleFacts(path, text)))).toEqual([]);
});
