import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { runChild } from "../child.ts";
import { failureOf } from "../failure.ts";
import type { RemoteFolder } from "../remote-side.ts";
import { type SyncDirection, shellWords } from "../rsync.ts";
import { findIgnoreFiles } from "./find-ignore-files.ts";
import { type FilterOptions, filterRules, type IgnoreFile, passedOver } from "./rules.ts";

export interface FilterSource {
  readonly direction: SyncDirection;
  readonly hostFolder: string;
  /** Asked for only where the sandbox is the source. */
  reached(): Promise<RemoteFolder>;
  /** Private and empty. */
  readonly workFolder: string;
  readonly options: FilterOptions;
  readonly signal: AbortSignal;
}

/** Writes the rules of a run, which the source's ignore files and the options make; answers the file's path. */
export async function writeFilterFile(source: FilterSource): Promise<string> {
  const files = source.direction === "push" ? await findIgnoreFiles(source.hostFolder) : await fetchIgnoreFiles(source);
  const rules = filterRules(files, source.options);
  const path = join(source.workFolder, "filter");
  await writeFile(path, Buffer.from(rules.map((rule) => `${rule}\0`).join(""), "latin1"), { mode: 0o600 });
  return path;
}

/** Has rsync bring the sandbox's ignore files into a folder of ours: no other way is as careful with their names. */
async function fetchIgnoreFiles({ reached, workFolder, signal }: FilterSource): Promise<IgnoreFile[]> {
  const sandbox = await reached();
  const folder = join(workFolder, "ignore-files");
  await mkdir(folder);
  const { code, complaints } = await runChild({
    argv: [
      "rsync",
      `--rsh=${shellWords(sandbox.ssh)}`,
      ...["--recursive", "--prune-empty-dirs", "--max-size=256K", "--secluded-args"],
      ...[...passedOver].map((name) => `--exclude=${name}`),
      ...["--include=*/", "--include=.gitignore", "--include=.berthignore", "--exclude=*"],
      ...["--", `${sandbox.host}:${sandbox.path}/`, `${folder}/`],
    ],
    onOutput: () => {},
    signal,
  });
  if (code !== 0 && code !== 23 && code !== 24) throw failureOf("rsync", code, complaints);
  return findIgnoreFiles(folder);
}
