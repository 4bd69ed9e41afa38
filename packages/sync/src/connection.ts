import { existsSync } from "node:fs";
import { join } from "node:path";
import { systemClock } from "@berth/base";
import { runChild } from "./child.ts";
import type { RemoteFolder } from "./remote-side.ts";

/** A connection to a sandbox that all programs of a run share, so that each of them need not sign in. */
export interface SharedConnection {
  readonly folder: RemoteFolder;
  close(): Promise<void>;
}

/** The longest path of a socket, less what OpenSSH puts behind it while it makes one. */
const maxSocketPath = 85;
const pollMs = 5;
const patienceMs = 15_000;

/**
 * Opens one, as OpenSSH's master, with its socket in the run's own folder. When that fails, nothing is lost: each program connects by itself, and says what is
 * wrong.
 */
export async function shareConnection(
  folder: RemoteFolder,
  workFolder: string,
  signal: AbortSignal,
): Promise<SharedConnection> {
  const socket = join(workFolder, "s");
  if (Buffer.byteLength(socket) > maxSocketPath) return { folder, close: async () => {} };
  const over = new AbortController();
  let ended = false;
  const master = runChild({
    argv: [...folder.ssh, "-M", "-N", "-S", socket, folder.host],
    onOutput: () => {},
    signal: AbortSignal.any([signal, over.signal]),
  })
    .then(() => {})
    .catch(() => {})
    .finally(() => {
      ended = true;
    });
  const deadline = performance.now() + patienceMs;
  while (!ended && !existsSync(socket) && performance.now() < deadline) await systemClock.sleep(pollMs);
  return {
    folder: { ...folder, ssh: [...folder.ssh, "-S", socket] },
    close: async () => {
      over.abort(new Error("the run is over"));
      await master;
    },
  };
}
