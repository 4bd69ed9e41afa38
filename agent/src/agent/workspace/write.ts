import type { BigIntStats } from "node:fs";
import type { SerialQueue } from "@berth/base";
import { isErrno } from "@berth/base/node";
import { CallFailure, type WorkspaceParams } from "@berth/protocol/link";
import type { Job } from "./job.ts";
import { namesOfLinkPath } from "./path.ts";
import type { StagedFile, Staging } from "./staging.ts";
import type { Place, WorkspaceTree } from "./tree.ts";
import { settledFacts, versionOf } from "./version.ts";

type Expected = WorkspaceParams<"write">["expected"];

const newFileMode = 0o644;

/** What changes the workspace. */
export interface Writing {
  readonly tree: WorkspaceTree;
  readonly staging: Staging;
  /** What looks at a place and then changes it does so in turn: of two that expect the same, one wins. */
  readonly changes: SerialQueue;
}

/** `write`: a file of the input's bytes, on disk when it is answered. */
export async function writeFile(job: Job, writing: Writing, params: WorkspaceParams<"write">): Promise<void> {
  const names = namesOfLinkPath(params.path);
  const name = names.at(-1);
  if (!name) throw new CallFailure("invalid_request", "the workspace is no file");
  const folder = await writing.tree.madeFolder(names.slice(0, -1));
  try {
    const place = { folder, name };
    await present(place, params.expected);
    const staging = await writing.staging.open();
    try {
      const file = await staging.begin();
      try {
        for await (const chunk of job.input(params.maxBytes)) await file.write(chunk);
        job.answer(await writing.changes.run(() => settle(place, file, params.expected)));
      } finally {
        await file.close();
      }
    } finally {
      await staging.close();
    }
  } finally {
    await folder.close();
  }
}

/** Puts a whole file in its place, if what is there is still as expected. */
async function settle(place: Place, file: StagedFile, expected: Expected) {
  const before = await present(place, expected);
  await file.handle.chmod(before ? Number(before.mode & 0o777n) : newFileMode);
  await file.handle.datasync();
  // Between this look and the rename another program of the sandbox has a moment: no system call closes it.
  await file.place(place, before !== undefined);
  await place.folder.sync();
  const facts = await settledFacts(file.handle);
  return {
    version: versionOf(facts),
    size: Number(facts.size),
    mtimeNs: facts.mtimeNs.toString(),
    mode: Number(facts.mode & 0o7777n),
    created: before === undefined,
  };
}

/** What is there now, if it is a file and as expected. Throws `CallFailure` otherwise. */
async function present({ folder, name }: Place, expected: Expected): Promise<BigIntStats | undefined> {
  const found = await folder.facts(name).catch((error: unknown) => {
    if (isErrno(error, "ENOENT")) return undefined;
    throw error;
  });
  if (found && !found.isFile()) throw new CallFailure("not_a_file", `"${name.toString()}" is there, and is no file`);
  if (!expected) return found;
  if ("absent" in expected) {
    if (found) throw new CallFailure("exists", "there is a file of that name");
  } else if (!found || versionOf(found) !== expected.version) {
    throw new CallFailure("changed", found ? "the file was changed since" : "the file is gone");
  }
  return found;
}
