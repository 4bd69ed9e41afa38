import { join } from "node:path";
import { discard } from "../backend/trash.ts";

/** Removes a container's folder: out of sight in one step first, so that a crash leaves all of it or nothing. */
export function removeContainerFolder(dataDir: string, name: string): Promise<void> {
  return discard(dataDir, join(dataDir, "containers", name));
}
