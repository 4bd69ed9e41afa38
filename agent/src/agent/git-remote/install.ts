import { dirname } from "node:path";
import { makePrivateDirectory, readTextIfExists, writeFileAtomic } from "@berth/base/node";
import { guestPath, type Root } from "../../root.ts";
import { gitRemoteArgument } from "./program.ts";

/**
 * Writes the script that a repository of a project names to git (`alias.remote-berth`), so that its place is the same
 * whichever version of the programs runs: it starts this very agent's bundle.
 */
export async function installGitRemote(root: Root, bundle: string): Promise<void> {
  const path = guestPath(root, "gitRemote");
  const words = [process.execPath, bundle, gitRemoteArgument, guestPath(root, "run")].map(shellWord);
  const text = `#!/bin/sh\nexec ${words.join(" ")} "$@"\n`;
  if ((await readTextIfExists(path)) === text) return;
  await makePrivateDirectory(dirname(path));
  await writeFileAtomic(path, text, 0o700);
}

function shellWord(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
