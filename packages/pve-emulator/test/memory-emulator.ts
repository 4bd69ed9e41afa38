import { type Clock, systemClock } from "@berth/base";
import { type ClusterOptions, MemoryBackend, type RunningEmulator, startEmulator, subnetOf } from "../src/index.ts";

/** An emulator whose containers exist in memory alone, with nothing in them. */
export function startMemoryEmulator(
  dataDir: string,
  clock: Clock = systemClock,
  cluster?: ClusterOptions,
): Promise<RunningEmulator> {
  return startEmulator({
    dataDir,
    clock,
    cluster,
    backend: ({ tokenSecret }) =>
      new MemoryBackend({
        clock,
        tokenSecret,
        subnet: subnetOf(dataDir),
        sshPort: 2222,
        sshUser: "root",
        boot: async () => ({ kill: () => {} }),
      }),
  });
}
