import { fileURLToPath } from "node:url";
import * as testkit from "@berth/testkit";

export { type Berth, freePorts } from "@berth/testkit";

type BerthOptions = Omit<testkit.BerthOptions, "command">;

const program = fileURLToPath(new URL("../../dist/main.mjs", import.meta.url));

/** A Berth of the built controller that is started; dispose it. */
export function startBerth(options: BerthOptions = {}): Promise<testkit.Berth> {
  return testkit.startBerth({ command: [process.execPath, program], ...options });
}

/** A Berth of the built controller with a data directory and ports, not started. */
export function prepareBerth(options: BerthOptions = {}): Promise<testkit.Berth> {
  return testkit.prepareBerth({ command: [process.execPath, program], ...options });
}
