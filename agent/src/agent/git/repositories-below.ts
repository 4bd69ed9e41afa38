import { isErrno } from "@berth/base/node";
import { type Folder, NotAFolder } from "../files/folder.ts";
import type { WorkspaceTree } from "../workspace/tree.ts";

/** As deep, and as many folders, as it is looked for others' repositories; the controller's own look goes as deep. */
const maxDepth = 3;
const maxFolders = 2_000;
/** Folders in which nobody works. */
const passedOver: ReadonlySet<string> = new Set([".git", ".berth", "node_modules"]);

/** Whether a folder below the workspace, not too deep in it, is a repository of its own. */
export async function hasRepositoryBelow(tree: WorkspaceTree): Promise<boolean> {
  const waiting: Buffer[][] = [[]];
  for (let looked = 0; looked < maxFolders; looked += 1) {
    const names = waiting.shift();
    if (!names) return false;
    const folder = await openedIfThere(tree, names);
    if (!folder) continue;
    try {
      for await (const entry of await folder.entries()) {
        if (entry.name === ".git" && names.length > 0) return true;
        if (!entry.isDirectory() || passedOver.has(entry.name) || names.length >= maxDepth) continue;
        waiting.push([...names, Buffer.from(entry.name)]);
      }
    } finally {
      await folder.close();
    }
  }
  return false;
}

async function openedIfThere(tree: WorkspaceTree, names: readonly Buffer[]): Promise<Folder | undefined> {
  try {
    return await tree.folder(names);
  } catch (error) {
    // It has changed meanwhile, or its name is no UTF-8.
    if (error instanceof NotAFolder || isErrno(error, "ENOENT") || isErrno(error, "EACCES")) return undefined;
    throw error;
  }
}
