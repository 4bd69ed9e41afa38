import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type Berth, type BerthOptions, prepareBerth } from "@berth/testkit";
import type { BenchContext, Measurement } from "./benchmark.ts";

const builtController = fileURLToPath(new URL("../../controller/dist/main.mjs", import.meta.url));
const programs = ["agent/dist/agent.mjs", "packages/pve-emulator/dist/main.mjs"].map((path) =>
  fileURLToPath(new URL(`../../${path}`, import.meta.url)),
);

/** What runs the built controller: as `scripts/start` does. */
export const controllerCommand: readonly [string, ...string[]] = [
  "env",
  `BERTH_NODE=${process.execPath}`,
  fileURLToPath(new URL("../lib/controller", import.meta.url)),
];

/** `./scripts/start`, which ends as the controller. */
export const startScript = fileURLToPath(new URL("../start", import.meta.url));

/**
 * A Berth of the built programs in a data directory of its own, not started; the benchmark's scope removes it. Throws
 * when nothing is built.
 */
export async function ownBerth({ scope }: BenchContext, options: Partial<BerthOptions> = {}): Promise<Berth> {
  requireBuilt();
  const berth = await prepareBerth({ command: controllerCommand, ...options });
  scope.add(() => berth.dispose());
  return berth;
}

/** Throws when something is not built. */
export function requireBuilt(): void {
  const missing = [builtController, ...programs].find((path) => !existsSync(path));
  if (missing !== undefined) throw new Error(`${missing} is not there: run "npm run build" first`);
}

/** What containers of the bundled Proxmox can be on this machine; those that are slower to make come last. */
export function possibleBackends(): readonly ("process" | "lxc")[] {
  return process.getuid?.() === 0 && existsSync("/usr/bin/lxc-start") ? ["process", "lxc"] : ["process"];
}

/** What is measured on each backend, one after the other. */
export async function onEachBackend(
  context: BenchContext,
  measure: (backend: string) => Promise<Measurement[]>,
): Promise<Measurement[]> {
  const measured: Measurement[] = [];
  for (const backend of possibleBackends()) {
    context.note(`containers of the backend "${backend}"`);
    measured.push(...(await measure(backend)));
  }
  return measured;
}
