import type { FileHandle } from "node:fs/promises";
import { isErrno } from "@berth/base/node";
import { CallFailure, type WorkspaceParams, workspaceLimits } from "@berth/protocol/link";
import type { Job } from "./job.ts";
import { namesOfLinkPath } from "./path.ts";
import type { Place, WorkspaceTree } from "./tree.ts";
import { settledFacts, versionOf } from "./version.ts";

const portionBytes = 64 * 1024;

/** `read`: a file's bytes as they are at this moment, or an end in the midst. */
export async function readFile(job: Job, tree: WorkspaceTree, params: WorkspaceParams<"read">): Promise<void> {
  const file = await tree.at(namesOfLinkPath(params.path), openFile);
  try {
    const facts = await settledFacts(file);
    const version = versionOf(facts);
    const size = Number(facts.size);
    const { from, to } = partOf(size, params.range);
    const sample = Buffer.alloc(Math.min(size, workspaceLimits.sampleBytes));
    const { bytesRead } = await file.read(sample, 0, sample.length, 0);
    job.answer({
      version,
      size,
      from,
      to,
      mtimeNs: facts.mtimeNs.toString(),
      sample: sample.subarray(0, bytesRead).toString("base64url"),
    });
    await sendPart(job, file, from, to);
    if (versionOf(await file.stat({ bigint: true })) !== version)
      throw new CallFailure("changed", "the file was changed while it was read");
  } finally {
    await file.close();
  }
}

/** Opens a regular file. Nothing else is opened, or not for long: to open a device may do something by itself. */
export async function openFile({ folder, name }: Place): Promise<FileHandle> {
  if (!(await folder.facts(name)).isFile()) throw notAFile(name);
  let file: FileHandle;
  try {
    file = await folder.read(name);
  } catch (error) {
    if (isErrno(error, "ELOOP") || isErrno(error, "ENXIO")) throw notAFile(name);
    throw error;
  }
  try {
    if ((await file.stat()).isFile()) return file;
  } catch (error) {
    await file.close();
    throw error;
  }
  await file.close();
  throw notAFile(name);
}

/** Sends the bytes between two places of a file, as they are taken. */
export async function sendPart(job: Pick<Job, "write">, file: FileHandle, from: number, to: number): Promise<void> {
  const portion = Buffer.allocUnsafe(portionBytes);
  for (let at = from; at < to; ) {
    const { bytesRead } = await file.read(portion, 0, Math.min(portionBytes, to - at), at);
    if (bytesRead === 0) throw new CallFailure("changed", "the file became shorter while it was read");
    await job.write(portion.subarray(0, bytesRead));
    at += bytesRead;
  }
}

/** The part of a file that is asked for: none of it where it begins behind the end. */
function partOf(size: number, range: WorkspaceParams<"read">["range"]): { from: number; to: number } {
  if (!range) return { from: 0, to: size };
  if ("last" in range) return { from: Math.max(0, size - range.last), to: size };
  const from = Math.min(range.from, size);
  return { from, to: Math.max(from, Math.min(range.to ?? size, size)) };
}

function notAFile(name: Buffer): CallFailure {
  return new CallFailure("not_a_file", `"${name.toString()}" is no file`);
}
