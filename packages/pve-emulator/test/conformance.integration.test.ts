import { execFile } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { temporaryDirectory } from "@berth/testkit";
import { describe, expect, it } from "vitest";
import { startTestEmulator } from "./api-client.ts";

// Recorded from a real Proxmox VE; it lies beside the repository where it is developed, not in it.
const conformance = fileURLToPath(new URL("../../../../shared/conformance/", import.meta.url));
const run = promisify(execFile);

if (existsSync(join(conformance, "replay.mjs"))) {
  describe("the emulator, beside the recorded Proxmox VE", () => {
    it("answers every conformance scenario as recorded", { timeout: 180_000 }, async () => {
      const directory = await temporaryDirectory();
      const emulator = await startTestEmulator(directory.path);
      try {
        const scenarios = readdirSync(join(conformance, "scenarios")).map((name) =>
          join(conformance, "scenarios", name),
        );
        const { url, node, storage, pool, bridge, token, powerlessToken, rootPassword } = emulator;
        const options = { url, node, storage, pool, bridge, token };
        const secrets = { "powerless-token": powerlessToken, "root-password": rootPassword };
        const words = Object.entries({ ...options, ...secrets }).map(([name, value]) => `--${name}=${value}`);
        const { stdout } = await run(process.execPath, [join(conformance, "replay.mjs"), ...words, ...scenarios]).catch(
          (failure: { stdout: string }) => failure,
        );
        expect(
          stdout
            .trim()
            .split("\n")
            .filter((line) => !/^\d+ passed, 0 failed$/.test(line)),
        ).toEqual([]);
      } finally {
        await emulator[Symbol.asyncDispose]();
        await directory.dispose();
      }
    });
  });
} else {
  describe.skip(`the emulator, beside the recorded Proxmox VE (there is no ${conformance})`, () => {
    it("answers every conformance scenario as recorded", () => {});
  });
}
