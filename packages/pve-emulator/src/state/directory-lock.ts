import { randomBytes } from "node:crypto";
import { link, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { isErrno, readTextIfExists } from "@berth/base/node";
import { Value } from "typebox/value";
import { identifyProcess, isRunning, type ProcessIdentity } from "./identify-process.ts";
import { processIdentitySchema } from "./process-identity-schema.ts";

/** Another live process holds the folder. */
export class DirectoryInUse extends Error {
  readonly holder: ProcessIdentity;

  constructor(directory: string, holder: ProcessIdentity) {
    super(`${directory} is used by another emulator, process ${holder.pid}: stop that one, or give another --data`);
    this.holder = holder;
  }
}

/**
 * An exclusive lock on a folder: a file that names the process which holds it. The lock of a process that is gone is
 * taken over. The file comes into being with its contents, by a hard link, so nobody ever reads half of it.
 */
export class DirectoryLock implements AsyncDisposable {
  readonly #path: string;

  private constructor(path: string) {
    this.#path = path;
  }

  /** Takes the lock. Throws `DirectoryInUse` when a live process has it. */
  static async acquire(directory: string): Promise<DirectoryLock> {
    const self = identifyProcess(process.pid);
    if (!self) throw new Error("/proc does not tell about this process: the emulator needs Linux");
    const path = join(directory, "lock");
    const draft = `${path}.${randomBytes(6).toString("hex")}`;
    await writeFile(draft, JSON.stringify(self), { mode: 0o600 });
    try {
      for (;;) {
        try {
          await link(draft, path);
          return new DirectoryLock(path);
        } catch (error) {
          if (!isErrno(error, "EEXIST")) throw error;
        }
        await removeStale(directory, path, `${draft}.stale`);
      }
    } finally {
      await rm(draft, { force: true });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#path, { force: true });
  }
}

/** Moves the lock of a dead process out of the way; throws when its process lives. */
async function removeStale(directory: string, path: string, aside: string): Promise<void> {
  const seen = await readTextIfExists(path);
  if (seen === undefined) return;
  const holder = holderOf(seen);
  if (holder && isRunning(holder)) throw new DirectoryInUse(directory, holder);
  try {
    await rename(path, aside);
  } catch (error) {
    if (isErrno(error, "ENOENT")) return;
    throw error;
  }
  // Two starts may see the same stale lock: the slower of them must not carry off the lock of the faster.
  if ((await readTextIfExists(aside)) !== seen) await link(aside, path).catch(() => {});
  await rm(aside, { force: true });
}

function holderOf(text: string): ProcessIdentity | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return Value.Check(processIdentitySchema, value) ? value : undefined;
  } catch {
    return undefined;
  }
}
