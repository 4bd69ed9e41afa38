import type { UnsavedWork } from "@berth/protocol";
import type { SandboxRepository } from "./sandbox-repository.ts";
import { unsavedScript } from "./unsaved-scripts.ts";

const bounds = { maxOutputBytes: 64 * 1024, timeoutMs: 20_000 } as const;
const maxPaths = 20;
const maxCount = 1_000_000_000;

/** Nobody can say what is in a sandbox. */
export const unknownWork: UnsavedWork = { known: false, commits: 0, files: 0, stashes: 0, paths: [] };

/** Nothing is unsaved in it. */
export const noWork: UnsavedWork = { ...unknownWork, known: true };

/** Asks a sandbox what is in its workspace's repository, or one in its folders, and nowhere else. Rejects when it cannot be asked. */
export async function askUnsaved(repository: SandboxRepository, signal?: AbortSignal): Promise<UnsavedWork> {
  const { output } = await repository.run({ script: unsavedScript, ...bounds, signal });
  return readUnsaved(output);
}

/** Reads the answer. Throws for nonsense. */
export function readUnsaved(output: Buffer): UnsavedWork {
  const text = output.toString("utf8");
  const [whole = ""] = /^(?:\+ .*\n)*/.exec(text) ?? [];
  const below = whole.split("\n").slice(0, -1).map(readBelow);
  const own = readOwn(text.slice(whole.length));
  const sum = (of: (one: UnsavedWork) => number) =>
    Math.min(
      maxCount,
      [own, ...below].reduce((total, one) => total + of(one), 0),
    );
  return {
    known: true,
    commits: sum(({ commits }) => commits),
    files: sum(({ files }) => files),
    stashes: sum(({ stashes }) => stashes),
    paths: [...own.paths, ...below.flatMap(({ paths }) => paths)].slice(0, maxPaths),
  };
}

function readOwn(text: string): UnsavedWork {
  if (text.startsWith("none\n")) return noWork;
  const match = /^repository\n(\d{1,10})\n(\d{1,10})\n\s*(\d{1,10})\n/.exec(text);
  if (!match) throw new Error("the sandbox does not say what is in its repository");
  const [commits = 0, stashes = 0, files = 0] = match.slice(1).map((count) => Math.min(maxCount, Number(count)));
  const entries = text.slice(match[0].length).split("\0").slice(0, -1);
  return {
    known: true,
    commits,
    files,
    stashes,
    paths: entries.slice(0, maxPaths).map((entry) => shown(entry.slice(3))),
  };
}

/** Of a repository in a folder, which stands for its files. */
function readBelow(line: string): UnsavedWork {
  const match = /^\+ (\d{1,10}) (\d{1,10}) (\d{1,10}) (.+)$/.exec(line);
  if (!match) throw new Error("the sandbox does not say what is in a repository of its folders");
  const [commits = 0, stashes = 0, files = 0] = match.slice(1, 4).map((count) => Math.min(maxCount, Number(count)));
  return { known: true, commits, files, stashes, paths: files === 0 ? [] : [`${shown(match[4] ?? "")}/`] };
}

function shown(path: string): string {
  return path.slice(0, 497).replaceAll(/\p{C}/gu, "\uFFFD");
}

export function isUnsaved({ commits, files, stashes }: UnsavedWork): boolean {
  return commits > 0 || files > 0 || stashes > 0;
}

/** What would be lost, for people: `2 unpushed commits, 3 uncommitted files (a.txt, b.txt, …)`. */
export function tellUnsaved({ commits, files, stashes, paths }: UnsavedWork): string {
  const names = paths.slice(0, 3).join(", ");
  const some = paths.length === 0 ? "" : ` (${names}${files > 3 ? ", …" : ""})`;
  const parts = [
    counted(commits, "unpushed commit"),
    files > 0 && `${counted(files, "uncommitted file")}${some}`,
    stashes > 0 && (stashes === 1 ? "1 stash" : `${stashes} stashes`),
  ];
  return parts.filter((part) => part !== false && part !== "").join(", ");
}

function counted(count: number, what: string): string {
  return count === 0 ? "" : `${count} ${what}${count === 1 ? "" : "s"}`;
}
