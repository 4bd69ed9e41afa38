import { mkdir, readdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { SerialQueue } from "@berth/base";
import { isErrno } from "@berth/base/node";
import type { Git, GitOrder } from "./git.ts";
import type { RemoteAccess } from "./remote-access.ts";

export interface FetchOptions {
  readonly signal?: AbortSignal | undefined;
  onProgress?(fraction: number | null, detail: string): void;
}

/** Of one transfer from or to a remote. */
const transferMs = 60 * 60_000;
/** A lock in a worktree may be somebody's who works there; after so long it is nobody's. */
const worktreeLockMs = 10 * 60_000;

/**
 * The bare repository in which the controller has a project: the remote's branches as `refs/remotes/origin/*`, its tags,
 * each sandbox's own branch as it was last seen in `refs/sandboxes/ID/head`, and in `refs/heads/berth/*` as the worktree
 * has it. Whoever works on it takes turns.
 */
export class Mirror {
  /** Absolute. */
  readonly folder: string;
  readonly #git: Git;
  readonly #queue = new SerialQueue();
  #mended = false;

  constructor({ folder, git }: { folder: string; git: Git }) {
    this.folder = folder;
    this.#git = git;
  }

  /** Does something while nobody else does. What a killed git has left behind is mended first. */
  turn<T>(work: (mirror: MirrorTurn) => Promise<T>): Promise<T> {
    return this.#queue.run(async () => {
      await this.#make();
      if (!this.#mended) await removeLocks(this.folder);
      this.#mended = false;
      const result = await work(new MirrorTurn(this.folder, this.#git));
      // After a failure the next turn mends again.
      this.#mended = true;
      return result;
    });
  }

  async #make(): Promise<void> {
    if (await exists(join(this.folder, "HEAD"))) return;
    const temporary = `${this.folder}.new`;
    await rm(temporary, { recursive: true, force: true });
    await mkdir(temporary, { recursive: true, mode: 0o700 });
    await this.#git.run({ args: ["init", "--quiet", "--bare", "--", temporary] });
    await this.#git.run({ args: ["config", "core.hooksPath", "/dev/null"], env: { GIT_DIR: temporary } });
    await this.#git.run({ args: ["config", "core.symlinks", "false"], env: { GIT_DIR: temporary } });
    await rename(temporary, this.folder);
  }
}

/** What can be done with a mirror while one has it. */
export class MirrorTurn {
  readonly folder: string;
  readonly #git: Git;

  constructor(folder: string, git: Git) {
    this.folder = folder;
    this.#git = git;
  }

  /** Runs git on the mirror. */
  async git(args: readonly string[], more: Omit<GitOrder, "args"> = {}) {
    return this.#git.run({ ...more, args, env: { GIT_DIR: this.folder, ...more.env } });
  }

  /** Brings the remote's branches and tags. Answers its default branch; undefined: it is empty. */
  async fetch(remote: RemoteAccess, { signal, onProgress }: FetchOptions = {}): Promise<string | undefined> {
    const args = [
      ...["fetch", "--quiet", "--progress", "--prune", "--force", "--no-write-fetch-head", "--no-auto-maintenance"],
      ...["--", remote.url, "+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*"],
    ];
    await this.git(args, { env: remote.env, signal, timeoutMs: transferMs, ...(onProgress ? { onProgress } : {}) });
    const { output } = await this.git(["ls-remote", "--symref", "--", remote.url, "HEAD"], { env: remote.env, signal });
    const named = /^ref: refs\/heads\/(\S+)\tHEAD$/m.exec(output)?.[1];
    if (named !== undefined && (await this.resolve(`refs/remotes/origin/${named}`))) return named;
    const branches = await this.branches();
    return branches.find((name) => name === "main" || name === "master") ?? branches[0];
  }

  /** The remote's branches. */
  async branches(): Promise<string[]> {
    const { output } = await this.git(["for-each-ref", "--format=%(refname:lstrip=3)", "refs/remotes/origin"]);
    return output.split("\n").filter((name) => name !== "" && name !== "HEAD");
  }

  /** The commit of a ref; undefined: there is none. */
  async resolve(ref: string): Promise<string | undefined> {
    const { output } = await this.git(["rev-parse", "--verify", "--quiet", "--end-of-options", `${ref}^{commit}`], {
      alsoFine: [1, 128],
    });
    return /^[0-9a-f]{40,64}$/.exec(output.trim())?.[0];
  }

  /** Whether one commit is in the history of another. */
  async isAncestor(one: string, other: string): Promise<boolean> {
    const { exitCode } = await this.git(["merge-base", "--is-ancestor", one, other], { alsoFine: [1] });
    return exitCode === 0;
  }

  async setRef(ref: string, commit: string): Promise<void> {
    await this.git(["update-ref", "--no-deref", ref, commit]);
  }

  async deleteRef(ref: string): Promise<void> {
    await this.git(["update-ref", "--no-deref", "-d", ref]);
  }
}

/**
 * Removes what a git left that was killed: locks, and half of what it received. No git of the controller's runs now; those
 * end with it.
 */
async function removeLocks(mirror: string): Promise<void> {
  const now = Date.now();
  for (const entry of await readdir(mirror, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    const inWorktree = path.startsWith(join(mirror, "worktrees"));
    if (entry.isFile() && entry.name.endsWith(".lock")) {
      const age = inWorktree ? now - ((await stat(path).catch(() => undefined))?.mtimeMs ?? now) : worktreeLockMs;
      if (age >= worktreeLockMs) await rm(path, { force: true });
    } else if (/^tmp_(pack|idx|obj|rev)_|^(incoming|tmp_objdir)-/.test(entry.name) && path.includes("/objects/")) {
      await rm(path, { recursive: true, force: true });
    }
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (isErrno(error, "ENOENT")) return false;
    throw error;
  }
}
