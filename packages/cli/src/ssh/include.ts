import { lstat, readlink } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { makePrivateDirectory, readTextIfExists, writeFileAtomic } from "@berth/base/node";

const mark = "# berth: sandboxes; berth ssh-config --remove takes these two lines away";

/** A user's configuration with our files included at its top: below a `Host` line it would count for those hosts alone. */
export function withInclude(text: string, pattern: string): string {
  return `${mark}\nInclude "${pattern}"\n${withoutInclude(text)}`;
}

/** A user's configuration without what `withInclude` has put there. */
export function withoutInclude(text: string): string {
  const lines = text.split("\n");
  const kept = lines.filter((line, index) => {
    if (line === mark) return false;
    return !(lines[index - 1] === mark && line.startsWith("Include "));
  });
  return kept.join("\n");
}

/** Changes `~/.ssh/config`, in one step; true if there was anything to change. */
export async function changeUserConfig(home: string, change: (text: string) => string): Promise<boolean> {
  const path = await behindLink(join(home, ".ssh", "config"));
  const text = (await readTextIfExists(path)) ?? "";
  const changed = change(text);
  if (changed === text) return false;
  await makePrivateDirectory(dirname(path));
  await writeFileAtomic(path, changed, 0o600);
  return true;
}

/** The file itself, where somebody keeps their configuration elsewhere: a rename would end the link. */
async function behindLink(path: string): Promise<string> {
  const isLink = await lstat(path).then(
    (facts) => facts.isSymbolicLink(),
    () => false,
  );
  return isLink ? resolve(dirname(path), await readlink(path)) : path;
}
