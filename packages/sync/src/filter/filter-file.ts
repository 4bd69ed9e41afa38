import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { runChild } from "../child.ts";
import { failureOf } from "../failure.ts";
import type { LocalSide } from "../local-side.ts";
import type { RawPath } from "../raw-path.ts";
import { type RemoteFolder, RemoteSide } from "../remote-side.ts";
import { type SyncDirection, shellWords } from "../rsync.ts";
import { markerFile, ownFolder, temporaryFolder } from "../side.ts";
import { findIgnoreFiles } from "./find-ignore-files.ts";
import { type FilterOptions, filterRules, type IgnoreFile, passedOver } from "./rules.ts";

/** Of Berth's own folder the marker comes along, and nothing else. */
const markerRules = [
  ...[`/${ownFolder}/`, `/${temporaryFolder}/`, `/${markerFile}`].map((path) => `--include=${path}`),
  `--exclude=/${ownFolder}/***`,
];

export interface FilterSource {
  readonly direction: SyncDirection;
  readonly hostFolder: string;
  readonly host: LocalSide;
  /** Asked for only where the sandbox is the source. */
  reached(): Promise<RemoteFolder>;
  /** Private and empty. */
  readonly workFolder: string;
  readonly options: FilterOptions;
  readonly signal: AbortSignal;
}

/** Writes the rules of a run, which the source's ignore files and the options make; answers the file's path. */
export async function writeFilterFile(source: FilterSource): Promise<string> {
  const { files, leftovers } = await (source.direction === "push" ? ofHost(source) : ofSandbox(source));
  const rules = filterRules(files, source.options, leftovers);
  const path = join(source.workFolder, "filter");
  await writeFile(path, Buffer.from(rules.map((rule) => `${rule}\0`).join(""), "latin1"), { mode: 0o600 });
  return path;
}

/** What the rules of a run are made of, beside the options. */
interface Found {
  readonly files: IgnoreFile[];
  /** What a run to this side has left when it was cut. */
  readonly leftovers: readonly RawPath[];
}

async function ofHost({ host, hostFolder }: FilterSource): Promise<Found> {
  return { files: await findIgnoreFiles(hostFolder), leftovers: await host.leftovers() };
}

/**
 * Has rsync bring the sandbox's ignore files into a folder of ours: no other way is as careful with their names. With
 * them comes the marker of a run that was cut.
 */
async function ofSandbox({ reached, workFolder, signal }: FilterSource): Promise<Found> {
  const sandbox = await reached();
  const folder = join(workFolder, "ignore-files");
  await mkdir(folder);
  const { code, complaints } = await runChild({
    argv: [
      "rsync",
      `--rsh=${shellWords(sandbox.ssh)}`,
      ...["--recursive", "--prune-empty-dirs", "--max-size=256K", "--secluded-args"],
      ...markerRules,
      ...[...passedOver].map((name) => `--exclude=${name}`),
      ...["--include=*/", "--include=.gitignore", "--include=.berthignore", "--exclude=*"],
      ...["--", `${sandbox.host}:${sandbox.path}/`, `${folder}/`],
    ],
    onOutput: () => {},
    signal,
  });
  if (code !== 0 && code !== 23 && code !== 24) throw failureOf("rsync", code, complaints);
  const isMarked = existsSync(join(folder, markerFile));
  const leftovers = isMarked ? await new RemoteSide(sandbox, signal).leftovers() : [];
  return { files: await findIgnoreFiles(folder), leftovers };
}
