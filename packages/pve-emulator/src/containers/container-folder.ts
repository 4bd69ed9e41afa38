import { randomBytes } from "node:crypto";
import { mkdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";

/** Removes a container's folder: out of sight in one step first, so that a crash leaves all of it or nothing. */
export async function removeContainerFolder(dataDir: string, name: string): Promise<void> {
  const trash = join(dataDir, "trash");
  await mkdir(trash, { recursive: true, mode: 0o700 });
  const grave = join(trash, randomBytes(8).toString("hex"));
  await rename(join(dataDir, "containers", name), grave);
  await rm(grave, { recursive: true, force: true, maxRetries: 3 });
}
