import type { WorkspaceParams } from "@berth/protocol/link";
import { Folder } from "../../files/folder.ts";
import type { Job } from "../job.ts";
import { namesOfLinkPath } from "../path.ts";
import { openFile, sendPart } from "../read.ts";
import type { Place, WorkspaceTree } from "../tree.ts";
import { blockBytes, padding, tarHeader } from "./tar-header.ts";
import { type Packed, walk } from "./walk.ts";
import { sendZip } from "./zip.ts";

/** `pack`: sent while it is made. What changes meanwhile ends it in the midst. */
export async function pack(job: Job, tree: WorkspaceTree, params: WorkspaceParams<"pack">): Promise<void> {
  const names = namesOfLinkPath(params.path);
  const send = async (place: Place) => {
    await place.folder.facts(place.name);
    job.answer(null);
    const entries = walk(place, place.name);
    if (params.format === "tar") await sendTar(job, entries);
    else await sendZip(job, entries);
  };
  await (names.length > 0 ? tree.at(names, send) : atWorkspace(tree, send));
}

/** The workspace, as a name in the folder that it lies in. */
async function atWorkspace(tree: WorkspaceTree, work: (place: Place) => Promise<void>): Promise<void> {
  const end = tree.path.lastIndexOf("/");
  const folder = await Folder.open(tree.path.slice(0, end) || "/");
  try {
    await work({ folder, name: Buffer.from(tree.path.slice(end + 1)) });
  } finally {
    await folder.close();
  }
}

async function sendTar(job: Job, entries: AsyncIterable<Packed>): Promise<void> {
  for await (const entry of entries) {
    if (entry.kind === "file") await sendFile(job, entry);
    else await job.write(tarHeader(headerOf(entry, 0)));
  }
  await job.write(Buffer.alloc(2 * blockBytes));
}

async function sendFile(job: Job, entry: Packed): Promise<void> {
  const file = await openFile(entry.place);
  try {
    const facts = await file.stat({ bigint: true });
    const size = Number(facts.size);
    await job.write(tarHeader(headerOf({ ...entry, facts }, size)));
    await sendPart(job, file, 0, size);
    await job.write(padding(size));
  } finally {
    await file.close();
  }
}

function headerOf({ path, kind, facts, target }: Packed, size: number) {
  return { path, kind, target, size, mode: Number(facts.mode & 0o7777n), mtimeNs: facts.mtimeNs };
}
