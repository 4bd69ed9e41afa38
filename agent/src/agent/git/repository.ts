import { realpath } from "node:fs/promises";
import { isErrno } from "@berth/base/node";
import { CallFailure } from "@berth/protocol/link";
import type { Folder } from "../files/folder.ts";
import { pathOf } from "../workspace/path.ts";
import { type Exit, Program } from "../workspace/program.ts";
import { folderIfThere, type WorkspaceTree } from "../workspace/tree.ts";
import { gitEnvironment, type Setting, withoutFilters } from "./settings.ts";

export interface GitSurroundings {
  readonly tree: WorkspaceTree;
  /** Of the programs: where they are found, and who the user is. */
  environment(): Readonly<Record<string, string>>;
}

export interface GitRun {
  /** Behind `git`. */
  readonly argv: readonly string[];
  readonly input?: Uint8Array;
  readonly env?: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
  /** What it may change runs the filters of the repository's configuration, as the user's own git does. */
  readonly writes?: boolean;
  /** In milliseconds. */
  readonly timeMs?: number;
}

const own = Buffer.from(".git");
const defaultTimeMs = 60_000;
const maxConfigBytes = 1024 * 1024;
const maxOutputBytes = 16 * 1024 * 1024;

/** A repository in the workspace, its own folder held open. */
export class Repository {
  /** From the workspace to its own folder. */
  readonly names: readonly Buffer[];
  readonly folder: Folder;
  readonly #surroundings: GitSurroundings;
  #filters: readonly Setting[] = [];

  private constructor(names: readonly Buffer[], folder: Folder, surroundings: GitSurroundings) {
    this.names = names;
    this.folder = folder;
    this.#surroundings = surroundings;
  }

  /** Does something with the repository that a path lies in. Throws `not_found` where it lies in none. */
  static async with<T>(
    surroundings: GitSurroundings,
    names: readonly Buffer[],
    work: (repository: Repository) => Promise<T>,
  ): Promise<T> {
    for (let length = names.length; length >= 0; length -= 1) {
      const folder = await folderIfThere(surroundings.tree, names.slice(0, length));
      if (!folder) continue;
      try {
        const found = await ownFolder(folder);
        if (!found) continue;
        const repository = new Repository(names.slice(0, length), folder, surroundings);
        await repository.#prepare(found === "elsewhere");
        return await work(repository);
      } finally {
        await folder.close();
      }
    }
    throw new CallFailure("not_found", "there is no git repository");
  }

  /** As the controller is told. */
  get root(): string {
    return pathOf(this.names).toString("base64url");
  }

  /** A path of the workspace, as git knows it here. Throws `invalid_request` if it lies outside. */
  inside(names: readonly Buffer[]): Buffer {
    const isInside = this.names.every((name, index) => names[index]?.equals(name));
    if (!isInside) throw new CallFailure("invalid_request", "a path lies outside of the repository");
    const rest = names.slice(this.names.length);
    return rest.length === 0 ? Buffer.from(".") : pathOf(rest);
  }

  /** Starts a git; its output must be read, and `ended` looked at. */
  start({ argv, input, env, signal, writes = false, timeMs = defaultTimeMs }: GitRun): Program {
    const settings = writes ? [] : withoutFilters(this.#filters);
    const locks = writes ? [] : ["--no-optional-locks"];
    return new Program({
      argv: ["git", "--no-pager", ...locks, ...argv],
      cwd: this.folder,
      env: { ...gitEnvironment(this.#surroundings.environment(), settings), ...env },
      input,
      signal,
      timeMs,
    });
  }

  /** Runs a git to its end; answers its output. Throws `CallFailure` if it fails. */
  async bytes(run: GitRun): Promise<Buffer> {
    const program = this.start(run);
    const bytes = await program.bytes(maxOutputBytes);
    checkExit(await program.ended);
    return bytes;
  }

  /** The same as text. */
  async text(run: GitRun): Promise<string> {
    return (await this.bytes(run)).toString();
  }

  /** The same of a question that git may answer by exiting with 1: undefined, then. */
  async textIfAny(run: GitRun): Promise<string | undefined> {
    const program = this.start(run);
    const bytes = await program.bytes(maxOutputBytes);
    const exit = await program.ended;
    if (exit.code === 1) return undefined;
    checkExit(exit);
    return bytes.toString();
  }

  /** The commit of this name, in full. Undefined if there is none. */
  async commit(revision: string, signal: AbortSignal): Promise<string | undefined> {
    const argv = ["rev-parse", "--verify", "--quiet", "--end-of-options", `${revision}^{commit}`];
    const program = this.start({ argv, signal });
    const text = (await program.bytes(1024)).toString().trim();
    await program.ended;
    return /^[0-9a-f]{40}([0-9a-f]{24})?$/.test(text) ? text : undefined;
  }

  async #prepare(isElsewhere: boolean): Promise<void> {
    const signal = new AbortController().signal;
    if (isElsewhere) await this.#checkPlace(signal);
    if (isElsewhere || (await mayHaveFilters(this.folder))) await this.#readFilters(signal);
  }

  /** Of a worktree or a submodule the repository lies elsewhere: in the workspace, too, or it is none of ours. */
  async #checkPlace(signal: AbortSignal): Promise<void> {
    const argv = ["rev-parse", "--path-format=absolute", "--absolute-git-dir", "--git-common-dir"];
    const places = (await this.text({ argv, signal })).split("\n").filter((line) => line !== "");
    const workspace = await realpath(this.#surroundings.tree.path);
    for (const place of places) {
      if (!(await realpath(place)).startsWith(`${workspace}/`))
        throw new CallFailure("conflict", "the repository of this folder lies outside of the workspace");
    }
  }

  async #readFilters(signal: AbortSignal): Promise<void> {
    const argv = ["config", "--local", "--includes", "-z", "--get-regexp", "^filter\\."];
    const text = await this.textIfAny({ argv, signal, writes: true });
    this.#filters = (text ?? "").split("\0").flatMap((entry): Setting[] => {
      const end = entry.indexOf("\n");
      return end === -1 ? [] : [[entry.slice(0, end), entry.slice(end + 1)]];
    });
  }
}

/** Throws `CallFailure` if git did not do it, with what it said. */
export function checkExit({ code, stderr, timedOut }: Exit): void {
  if (timedOut) throw new CallFailure("too_slow", "git took too long");
  if (code !== 0)
    throw new CallFailure("conflict", `git: ${stderr.split("\n").slice(0, 6).join(" ") || `exit ${code}`}`);
}

/** Whether a folder is a repository's: `here` with all of it, or with a word of where it is. */
async function ownFolder(folder: Folder): Promise<"here" | "elsewhere" | undefined> {
  try {
    const found = await folder.facts(own);
    if (found.isFile()) return "elsewhere";
    if (!found.isDirectory()) return undefined;
    const git = await folder.step(own);
    try {
      await git.facts(Buffer.from("commondir"));
      return "elsewhere";
    } catch (error) {
      if (isErrno(error, "ENOENT")) return "here";
      throw error;
    } finally {
      await git.close();
    }
  } catch (error) {
    if (isErrno(error, "ENOENT")) return undefined;
    throw error;
  }
}

/** Whether git has to be asked for filters: it takes time, and few repositories have a word of them. */
async function mayHaveFilters(folder: Folder): Promise<boolean> {
  const git = await folder.step(own);
  try {
    const file = await git.read(Buffer.from("config"));
    try {
      const { size } = await file.stat();
      if (size > maxConfigBytes) return true;
      return /filter|include|worktreeconfig/i.test(await file.readFile("latin1"));
    } finally {
      await file.close();
    }
  } catch (error) {
    if (isErrno(error, "ENOENT")) return false;
    return true;
  } finally {
    await git.close();
  }
}
