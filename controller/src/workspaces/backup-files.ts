import { readdir, rm, rmdir } from "node:fs/promises";
import { join } from "node:path";
import { idPrefixes } from "@berth/protocol";
import { backupId, isBackupId } from "@berth/sync";
import { retention } from "./sync-runner.ts";

/** Removes the host's backups of sandboxes that are gone, once they are too old; answers how many. */
export async function pruneBackups(dataDir: string, isThere: (sandboxId: string) => Promise<boolean>): Promise<number> {
  const folder = join(dataDir, "workspaces");
  const oldest = backupId(Date.now() - retention.days * 86_400_000);
  let removed = 0;
  for (const sandboxId of await namesIn(folder)) {
    // Beside the sandboxes' folders there is the one for what runs have at hand.
    if (!sandboxId.startsWith(`${idPrefixes.sandbox}_`) || (await isThere(sandboxId))) continue;
    const own = join(folder, sandboxId);
    for (const name of await namesIn(own)) {
      for (const id of await namesIn(join(own, name))) {
        if (!isBackupId(id) || id >= oldest) continue;
        await rm(join(own, name, id), { recursive: true, force: true });
        removed += 1;
      }
      await removeIfEmpty(join(own, name));
    }
    await removeIfEmpty(own);
  }
  return removed;
}

function namesIn(folder: string): Promise<string[]> {
  return readdir(folder).catch(() => []);
}

async function removeIfEmpty(folder: string): Promise<void> {
  await rmdir(folder).catch(() => {});
}
