import type { UnsavedWork } from "@berth/protocol";
import type { SandboxRepository } from "./sandbox-repository.ts";
import { unsavedScript } from "./sandbox-scripts.ts";

const bounds = { maxOutputBytes: 64 * 1024, timeoutMs: 20_000 } as const;
const maxPaths = 20;
const maxCount = 1_000_000_000;

/** Nobody can say what is in a sandbox. */
export const unknownWork: UnsavedWork = { known: false, commits: 0, files: 0, stashes: 0, paths: [] };

/** Asks a sandbox what is in its workspace's repository and nowhere else. Rejects when it cannot be asked. */
export async function askUnsaved(repository: SandboxRepository, signal?: AbortSignal): Promise<UnsavedWork> {
  const { output } = await repository.run({ script: unsavedScript, ...bounds, signal });
  return readUnsaved(output);
}

/** Reads the answer. Throws for nonsense. */
export function readUnsaved(output: Buffer): UnsavedWork {
  const text = output.toString("utf8");
  if (text.startsWith("none\n")) return { ...unknownWork, known: true };
  const match = /^repository\n(\d{1,10})\n(\d{1,10})\n\s*(\d{1,10})\n/.exec(text);
  if (!match) throw new Error("the sandbox does not say what is in its repository");
  const [commits = 0, stashes = 0, files = 0] = match.slice(1).map((count) => Math.min(maxCount, Number(count)));
  const entries = text.slice(match[0].length).split("\0").slice(0, -1);
  const paths = entries.slice(0, maxPaths).map((entry) => entry.slice(3, 500).replaceAll(/\p{C}/gu, "\uFFFD"));
  return { known: true, commits, files, stashes, paths };
}

export function isUnsaved({ commits, files, stashes }: UnsavedWork): boolean {
  return commits > 0 || files > 0 || stashes > 0;
}

/** What would be lost, for people: `2 unpushed commits, 3 uncommitted files (a.txt, b.txt, …)`. */
export function tellUnsaved({ commits, files, stashes, paths }: UnsavedWork): string {
  const names = paths.slice(0, 3).join(", ");
  const parts = [
    counted(commits, "unpushed commit"),
    files > 0 && `${counted(files, "uncommitted file")} (${names}${files > 3 ? ", …" : ""})`,
    stashes > 0 && (stashes === 1 ? "1 stash" : `${stashes} stashes`),
  ];
  return parts.filter((part) => part !== false && part !== "").join(", ");
}

function counted(count: number, what: string): string {
  return count === 0 ? "" : `${count} ${what}${count === 1 ? "" : "s"}`;
}
