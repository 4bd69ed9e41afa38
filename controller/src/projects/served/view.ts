import { randomBytes } from "node:crypto";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Git } from "../git.ts";
import { MirrorTurn } from "../mirror.ts";

/**
 * A repository for one conversation with a sandbox's git: it has the branches and tags of the remote as they are now, the
 * mirror's objects by reference, and room for what comes. Nothing else of the mirror can be seen in it, such as other
 * sandboxes' commits; and what comes reaches the mirror only if it is taken from here.
 */
export class View {
  readonly folder: string;
  readonly #repository: MirrorTurn;

  private constructor(folder: string, repository: MirrorTurn) {
    this.folder = folder;
    this.#repository = repository;
  }

  /** Makes one below a folder. `mirror` must not change meanwhile. */
  static async open(
    { git, folder }: { git: Git; folder: string },
    mirror: MirrorTurn,
    head: string | undefined,
  ): Promise<View> {
    const path = join(folder, randomBytes(12).toString("hex"));
    await mkdir(path, { recursive: true, mode: 0o700 });
    try {
      await git.run({ args: ["init", "--quiet", "--bare", "--", path] });
      await writeFile(join(path, "objects/info/alternates"), `${join(mirror.folder, "objects")}\n`);
      const { output } = await mirror.git(["for-each-ref", "--format=%(objectname) %(refname)", remoteRefs, tagRefs]);
      await writeFile(join(path, "packed-refs"), packedRefs(output));
      await writeFile(join(path, "HEAD"), `ref: refs/heads/${head ?? "main"}\n`);
      return new View(path, new MirrorTurn(path, git));
    } catch (error) {
      await rm(path, { recursive: true, force: true });
      throw error;
    }
  }

  get git(): MirrorTurn["git"] {
    return this.#repository.git.bind(this.#repository);
  }

  /** Whether one commit is in the history of another. False where one of them is no commit. */
  async isAncestor(one: string, other: string): Promise<boolean> {
    const { exitCode } = await this.git(["merge-base", "--is-ancestor", one, other], { alsoFine: [1, 128] });
    return exitCode === 0;
  }

  async dispose(): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }
}

const remoteRefs = "refs/remotes/origin";
const tagRefs = "refs/tags";

/** The remote's refs as its own repository has them, from `<object> <ref>` lines of the mirror's. */
function packedRefs(lines: string): string {
  const refs = lines.split("\n").flatMap((line) => {
    const [object = "", ref = ""] = line.split(" ");
    if (ref === "" || ref === `${remoteRefs}/HEAD`) return [];
    return [`${object} ${ref.replace(/^refs\/remotes\/origin\//, "refs/heads/")}`];
  });
  return refs.map((line) => `${line}\n`).join("");
}
