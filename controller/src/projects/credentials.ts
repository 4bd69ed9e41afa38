import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { isErrno, makePrivateDirectory, writeFileAtomic } from "@berth/base/node";
import { type GitCredential, gitCredentialSchema, parseJson } from "@berth/protocol";
import { Value } from "typebox/value";

const fileName = "credential.json";

/** The credential of a project's remote, a file of mode 600 in the project's folder; undefined: it was given none. */
export async function readCredential(projectFolder: string): Promise<GitCredential | undefined> {
  try {
    const value = parseJson(await readFile(join(projectFolder, fileName), "utf8"));
    return Value.Check(gitCredentialSchema, value) ? value : undefined;
  } catch (error) {
    if (isErrno(error, "ENOENT")) return undefined;
    throw error;
  }
}

export async function writeCredential(projectFolder: string, credential: GitCredential): Promise<void> {
  await makePrivateDirectory(projectFolder);
  await writeFileAtomic(join(projectFolder, fileName), JSON.stringify(credential));
}

export async function removeCredential(projectFolder: string): Promise<void> {
  await rm(join(projectFolder, fileName), { force: true });
}
