import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A folder that is gone when it is disposed. */
export interface TemporaryDirectory {
  readonly path: string;
  dispose(): Promise<void>;
}

/** Makes an empty folder, for its owner alone. */
export async function temporaryDirectory(prefix = "berth-test-"): Promise<TemporaryDirectory> {
  const path = await mkdtemp(join(tmpdir(), prefix));
  return { path, dispose: () => rm(path, { recursive: true, force: true, maxRetries: 3 }) };
}
