import { mkdir } from "node:fs/promises";
import { systemClock } from "@berth/base";
import { DirectoryInUse, DirectoryLock } from "@berth/base/node";

/** How often a builder that waits for another one looks again. */
const pollMs = 250;

/** Does the work while no other process does it at this path; waits for its turn, and says so once. */
export async function withBuildLock(
  path: string,
  options: { readonly report: (line: string) => void; readonly signal?: AbortSignal },
  work: () => Promise<void>,
): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 });
  const lock = await acquire(path, options);
  try {
    await work();
  } finally {
    await lock[Symbol.asyncDispose]();
  }
}

async function acquire(
  path: string,
  options: { readonly report: (line: string) => void; readonly signal?: AbortSignal },
): Promise<DirectoryLock> {
  let told = false;
  for (;;) {
    options.signal?.throwIfAborted();
    try {
      return await DirectoryLock.acquire(path);
    } catch (error) {
      if (!(error instanceof DirectoryInUse)) throw error;
      if (!told) options.report(`waiting for process ${error.holder.pid}, which makes the same`);
      told = true;
    }
    await systemClock.sleep(pollMs, options.signal);
  }
}
