import { CallFailure, type EntryFacts, workspaceLimits } from "@berth/protocol/link";
import type { Folder } from "../files/folder.ts";
import type { Job } from "./job.ts";
import { LastFolder } from "./last-folder.ts";
import { namesOf, pathOf } from "./path.ts";
import { factsAt, factsOf, folderIfThere, type WorkspaceTree } from "./tree.ts";

/** Entries of one folder that are asked for together. */
const atOnce = 64;

/** `stat`: the facts of every path of the input, in their order. */
export async function statPaths(job: Job, tree: WorkspaceTree): Promise<void> {
  const places = (await readPaths(job)).map(namesOf);
  const parents = new LastFolder((names) => folderIfThere(tree, names));
  try {
    job.answer(null);
    for (let at = 0; at < places.length; ) {
      const folder = places[at]?.slice(0, -1) ?? [];
      const end = neighboursEnd(places, at);
      const parent = await parents.open(folder);
      const found = await Promise.all(places.slice(at, end).map((names) => parent && facts(parent, names.at(-1))));
      for (const each of found) await job.record(each ?? null);
      at = end;
    }
  } finally {
    await parents.close();
  }
}

/** The paths of a call's input, each ended by a NUL. */
export async function readPaths(job: Job): Promise<Buffer[]> {
  const chunks: Buffer[] = [];
  for await (const chunk of job.input(workspaceLimits.pathsBytes)) chunks.push(chunk);
  const all = Buffer.concat(chunks);
  const paths: Buffer[] = [];
  for (let start = 0; start < all.length; ) {
    const end = all.indexOf(0, start);
    if (end === -1) throw new CallFailure("invalid_request", "a path does not end");
    paths.push(all.subarray(start, end));
    if (paths.length > workspaceLimits.paths)
      throw new CallFailure("payload_too_large", `there are more than ${workspaceLimits.paths} paths`);
    start = end + 1;
  }
  return paths;
}

/** Where the paths of the same folder end that begin here; a bounded number of them. */
function neighboursEnd(places: readonly (readonly Buffer[])[], start: number): number {
  const folder = pathOf((places[start] ?? []).slice(0, -1));
  let end = start + 1;
  for (; end < places.length && end - start < atOnce; end += 1) {
    const names = places[end] ?? [];
    if (names.length === 0 || !pathOf(names.slice(0, -1)).equals(folder)) break;
  }
  return end;
}

async function facts(folder: Folder, name: Buffer | undefined): Promise<EntryFacts | undefined> {
  return name ? factsAt({ folder, name }) : factsOf(await folder.ownFacts());
}
