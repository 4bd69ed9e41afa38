import { createHash, randomBytes } from "node:crypto";
import { link, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { isErrno, readTextIfExists } from "./files.ts";
import { identifyProcess, isProcessIdentity, isRunning, type ProcessIdentity } from "./process-identity.ts";

/** Another live process holds the folder. */
export class DirectoryInUse extends Error {
  readonly holder: ProcessIdentity;

  constructor(directory: string, holder: ProcessIdentity) {
    super(`${directory} is used by another process, ${holder.pid}`);
    this.holder = holder;
  }
}

/**
 * An exclusive lock on a folder: a file that names the process which holds it. The lock of a process that is gone is
 * taken over. The file comes into being with its contents, by a hard link, so nobody ever reads half of it.
 */
export class DirectoryLock implements AsyncDisposable {
  readonly #path: string;
  #released = false;

  private constructor(path: string) {
    this.#path = path;
  }

  /** Takes the lock. Throws `DirectoryInUse` when a live process has it, or is about to take over a stale one. */
  static async acquire(directory: string): Promise<DirectoryLock> {
    const self = identifyProcess(process.pid);
    if (!self) throw new Error("/proc does not tell about this process: Linux is needed");
    const path = join(directory, "lock");
    const nonce = randomBytes(6).toString("hex");
    const draft = `${path}.${nonce}`;
    // The nonce makes the contents unlike those of any other lock there ever was.
    await writeFile(draft, JSON.stringify({ ...self, nonce }), { mode: 0o600 });
    try {
      await claim(directory, path, draft);
    } finally {
      await rm(draft, { force: true });
    }
    return new DirectoryLock(path);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // The file may be the next holder's by now.
    if (this.#released) return;
    this.#released = true;
    await rm(this.#path, { force: true });
  }
}

/**
 * Makes the draft the file at this path, when there is none or a stale one. A stale file is replaced under a guard that
 * is named after its very contents, so by one process at a time; whoever gets the guard later finds other contents, as
 * none ever come back. A guard is claimed like the lock itself, since its holder may die too.
 */
async function claim(directory: string, path: string, draft: string): Promise<void> {
  for (;;) {
    if (await linkIfAbsent(draft, path)) return;
    const seen = await readTextIfExists(path);
    if (seen === undefined) continue;
    const holder = holderOf(seen);
    if (holder && isRunning(holder)) throw new DirectoryInUse(directory, holder);
    const guard = join(directory, `lock.after.${createHash("sha256").update(seen).digest("hex").slice(0, 24)}`);
    await claim(directory, guard, draft);
    if (await replaceIfUnchanged(path, seen, guard)) return;
  }
}

/** Puts the guard in the place of the file if that still holds what was seen, and gives up the guard in any case. */
async function replaceIfUnchanged(path: string, seen: string, guard: string): Promise<boolean> {
  try {
    if ((await readTextIfExists(path)) === seen) {
      await rename(guard, path);
      return true;
    }
  } catch (error) {
    await rm(guard, { force: true });
    throw error;
  }
  await rm(guard, { force: true });
  return false;
}

/** Answers false when there is a file already. */
async function linkIfAbsent(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if (isErrno(error, "EEXIST")) return false;
    throw error;
  }
}

function holderOf(text: string): ProcessIdentity | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isProcessIdentity(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
