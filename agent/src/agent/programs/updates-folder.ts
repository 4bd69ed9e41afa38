import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { isErrno, makePrivateDirectory, writeFileAtomic } from "@berth/base/node";
import { readState, stateFileName, type UpdatesState } from "../../launch/state.ts";

/** Keeps the state for the launcher and for the next agent. */
export async function writeState(folder: string, state: UpdatesState): Promise<void> {
  await makePrivateDirectory(folder);
  await writeFileAtomic(join(folder, stateFileName), JSON.stringify(state));
}

/**
 * What the start of an agent of this version says of the updates: one that was to run and is not the one that runs was
 * given up by the launcher. Writes that down, and removes the folders of all versions that do not count any more, and
 * what an interrupted installation has left.
 */
export async function settleUpdates(folder: string, version: string): Promise<UpdatesState> {
  const before = readState(folder);
  const state = stateAfterStart(before, version);
  if (state !== before) await writeState(folder, state);
  await removeOthers(folder, [stateFileName, version, state.proven, state.trying]);
  return state;
}

function stateAfterStart(before: UpdatesState, version: string): UpdatesState {
  const { proven, trying } = before;
  const kept = proven === undefined ? {} : { proven };
  if (trying === version) return before;
  if (trying !== undefined) return { ...kept, failed: trying };
  // The launcher could not load it.
  return proven === undefined || proven === version ? before : { failed: proven };
}

/** Removes everything but these. */
async function removeOthers(folder: string, kept: readonly (string | undefined)[]): Promise<void> {
  for (const name of await namesIn(folder)) {
    if (!kept.includes(name)) await rm(join(folder, name), { recursive: true, force: true });
  }
}

async function namesIn(folder: string): Promise<readonly string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (isErrno(error, "ENOENT")) return [];
    throw error;
  }
}
