import { randomBytes } from "node:crypto";
import { mkdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { isErrno } from "@berth/base/node";

/** Removes a file or folder below the data folder: first out of sight, in one step, then piece by piece. */
export async function discard(dataDir: string, path: string): Promise<void> {
  const trash = join(dataDir, "trash");
  await mkdir(trash, { recursive: true, mode: 0o700 });
  const grave = join(trash, randomBytes(8).toString("hex"));
  try {
    await rename(path, grave);
  } catch (error) {
    if (isErrno(error, "ENOENT")) return;
    throw error;
  }
  await removeAll(grave);
}

/** Removes what an emulator that was killed had begun to remove. What somebody still writes into goes the next time. */
export async function emptyTrash(dataDir: string): Promise<void> {
  try {
    await removeAll(join(dataDir, "trash"));
  } catch (error) {
    if (!isErrno(error, "ENOTEMPTY")) throw error;
  }
}

function removeAll(path: string): Promise<void> {
  return rm(path, { recursive: true, force: true, maxRetries: 3 });
}
