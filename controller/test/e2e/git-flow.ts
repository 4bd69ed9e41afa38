import { execFile } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { getOperation, type Operation, type PushResult, type Sandbox } from "@berth/protocol";
import { eventually } from "@berth/testkit";
import type { Static, TSchema } from "typebox";
import { Value } from "typebox/value";
import type { Berth } from "./berth.ts";

const run = promisify(execFile);

/** Whoever commits in tests. */
const author = { GIT_AUTHOR_NAME: "A", GIT_AUTHOR_EMAIL: "a@b", GIT_COMMITTER_NAME: "A", GIT_COMMITTER_EMAIL: "a@b" };

/** Runs git on this machine. */
export async function git(cwd: string, ...args: string[]): Promise<string> {
  const { stdout } = await run("git", ["-C", cwd, "-c", "init.defaultBranch=main", ...args], {
    env: { ...process.env, ...author },
  });
  return stdout.trim();
}

/** Writes a file and commits it; answers the commit. */
export async function commitFile(cwd: string, name: string, text: string): Promise<string> {
  await writeFile(join(cwd, name), text);
  await git(cwd, "add", "-A");
  await git(cwd, "commit", "-qm", `write ${name}`);
  return git(cwd, "rev-parse", "HEAD");
}

/** A bare repository with one commit on `main`, made from a working one beside it. */
export async function makeRemote(folder: string): Promise<{ origin: string; source: string }> {
  const [source, origin] = [join(folder, "source"), join(folder, "origin.git")];
  await mkdir(source, { recursive: true });
  await git(source, "init", "-q");
  await commitFile(source, "readme.md", "hello\n");
  await git(folder, "clone", "-q", "--bare", source, origin);
  return { origin, source };
}

/** Runs a command line in a sandbox, in its workspace, by the files that the controller has made for OpenSSH. */
export async function inWorkspace(berth: Berth, { id }: Sandbox, command: string): Promise<string> {
  const config = join(berth.dataDir, "ssh", `${id}.conf`);
  const { stdout } = await run("ssh", ["-F", config, id, `cd "$BERTH_ROOT/workspace" && ${command}`]);
  return stdout.trim();
}

/** What came of git's work, once it has succeeded. Rejects with why it has not. */
export async function gitResult<S extends TSchema>(
  berth: Berth,
  schema: S,
  { operation: { id } }: { operation: Operation },
): Promise<Static<S>> {
  const ended = await eventually(async () => {
    const seen = await berth.client.call(getOperation, { params: { id } });
    return seen.finishedAt === null ? undefined : seen;
  });
  if (ended.state === "succeeded") return Value.Parse(schema, ended.result);
  throw Object.assign(new Error(ended.error?.message ?? ended.state), { code: ended.error?.code });
}

/** The host's worktree after a push. */
export function worktreeOf({ worktree }: PushResult): string {
  if (!worktree) throw new Error("the push has brought no worktree along");
  return worktree.path;
}
