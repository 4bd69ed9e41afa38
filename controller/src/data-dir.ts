import { access, constants } from "node:fs/promises";
import type { Scope } from "@berth/base";
import { DirectoryInUse, DirectoryLock, makePrivateDirectory } from "@berth/base/node";
import { StartError } from "./settings/start-error.ts";

/** Makes the data directory and takes it for this process alone. Throws a `StartError`. */
export async function takeDataDir(dataDir: string, scope: Scope): Promise<void> {
  try {
    await makePrivateDirectory(dataDir);
    await access(dataDir, constants.W_OK | constants.X_OK);
    scope.own(await DirectoryLock.acquire(dataDir));
  } catch (error) {
    if (error instanceof DirectoryInUse) {
      throw new StartError(
        `Another Berth (process ${error.holder.pid}) uses the data directory ${dataDir}: stop it, or set BERTH_DATA_DIR to another folder.`,
        { cause: error },
      );
    }
    const reason = error instanceof Error && "code" in error ? String(error.code) : "it failed";
    throw new StartError(
      `The data directory ${dataDir} cannot be written to (${reason}): mend its permissions, or set BERTH_DATA_DIR to another folder.`,
      { cause: error },
    );
  }
}
