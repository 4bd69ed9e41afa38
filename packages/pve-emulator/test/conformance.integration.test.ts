import { execFile } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { temporaryDirectory } from "@berth/testkit";
import { describe, expect, it } from "vitest";
import { type BackendKind, type RunningEmulator, startEmulator } from "../src/index.ts";
import { payloadFolder } from "./api-client.ts";
import { requireLxc, untested } from "./lxc-traces.ts";

// Recorded from a real Proxmox VE; it lies beside the repository where it is developed, not in it.
const conformance = fileURLToPath(new URL("../../../../shared/conformance/", import.meta.url));
const present = existsSync(join(conformance, "replay.mjs"));
const run = promisify(execFile);

/** Scenarios that a backend cannot pass, by name, with the reason. There is none. */
const exceptions: Readonly<Record<BackendKind, Readonly<Record<string, string>>>> = { lxc: {}, process: {} };

/** Replays the scenarios; answers every line about what differs. */
async function differences(emulator: RunningEmulator, backend: BackendKind): Promise<string[]> {
  const names = readdirSync(join(conformance, "scenarios")).filter(
    (name) => !Object.hasOwn(exceptions[backend], name.replace(/\.json$/, "")),
  );
  expect(names.length).toBeGreaterThan(30);
  const { url, node, storage, pool, bridge, token, powerlessToken, rootPassword } = emulator;
  const options = { url, node, storage, pool, bridge, token };
  const secrets = { "powerless-token": powerlessToken, "root-password": rootPassword };
  const words = Object.entries({ ...options, ...secrets }).map(([name, value]) => `--${name}=${value}`);
  const scenarios = names.map((name) => join(conformance, "scenarios", name));
  const replay = [join(conformance, "replay.mjs"), ...words, ...scenarios];
  const { stdout } = await run(process.execPath, replay).catch((failure: { stdout: string }) => failure);
  const lines = stdout.trim().split("\n");
  return lines.filter((line) => !/^\d+ passed, 0 failed$/.test(line));
}

describe.skipIf(!present)(`the emulator, beside the recorded Proxmox VE (${conformance})`, () => {
  for (const backend of ["process", "lxc"] as const) {
    it.skipIf(backend === "lxc" && untested !== undefined)(
      `answers every conformance scenario as recorded, on the backend ${backend}`,
      { timeout: 300_000 },
      async () => {
        if (backend === "lxc") await requireLxc();
        const directory = await temporaryDirectory();
        const dataDir = join(directory.path, "data");
        const payload = { programs: payloadFolder };
        const emulator = await startEmulator({ dataDir, backend, isolated: true, payload });
        try {
          expect(await differences(emulator, backend)).toEqual([]);
        } finally {
          await emulator[Symbol.asyncDispose]();
          await directory.dispose();
        }
      },
    );
  }
});
