import { CallFailure, type WorkspaceParams } from "@berth/protocol/link";
import type { Job } from "./job.ts";
import { namesOfLinkPath } from "./path.ts";
import { factsAt, type WorkspaceTree } from "./tree.ts";

/** Entries of one folder that are looked through; they are all in memory to be sorted. */
const maxEntries = 200_000;

interface Named {
  readonly folder: boolean;
  readonly name: Buffer;
}

/** `list`: a page of a folder. Entries that go meanwhile are left out. */
export async function listFolder(job: Job, tree: WorkspaceTree, params: WorkspaceParams<"list">): Promise<void> {
  await tree.within(namesOfLinkPath(params.path), async (folder) => {
    const found = await folder.names();
    if (found.length > maxEntries)
      throw new CallFailure("limit_exceeded", `the folder has ${found.length} entries, more than can be listed`);
    const entries = found.map((entry): Named => ({ folder: entry.isDirectory(), name: entry.name })).sort(inOrder);
    const { after } = params;
    const last = after && { folder: after.folder, name: Buffer.from(after.name, "base64url") };
    const first = last ? entries.findIndex((entry) => inOrder(last, entry) < 0) : 0;
    const page = first === -1 ? [] : entries.slice(first, first + params.limit);
    job.answer({ more: first !== -1 && entries.length > first + page.length });
    for (const { name } of page) {
      const facts = await factsAt({ folder, name });
      if (facts) await job.record({ name: name.toString("base64url"), facts });
    }
  });
}

function inOrder(a: Named, b: Named): number {
  return a.folder === b.folder ? Buffer.compare(a.name, b.name) : a.folder ? -1 : 1;
}
