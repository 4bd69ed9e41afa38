import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";
import { isErrno } from "@berth/base/node";

/** One file of the repository as it is in the checkout. */
export interface SourceFile {
  readonly path: string;
  readonly text: string;
}

/** The files that git knows or would add, of these patterns. */
export async function sourceFiles(root: string, ...patterns: string[]): Promise<SourceFile[]> {
  const args = ["ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", ...patterns];
  const { stdout } = await promisify(execFile)("git", args, { cwd: root, maxBuffer: 64 * 1024 * 1024 });
  const paths = [...new Set(stdout.split("\0").filter((path) => path !== ""))];
  const files = await Promise.all(paths.map((path) => readSource(root, path)));
  return files.filter((file) => file !== undefined);
}

/** Undefined when the file is deleted in the checkout but not yet in git. */
async function readSource(root: string, path: string): Promise<SourceFile | undefined> {
  try {
    return { path, text: await readFile(`${root}/${path}`, "utf8") };
  } catch (error) {
    if (isErrno(error, "ENOENT")) return undefined;
    throw error;
  }
}
