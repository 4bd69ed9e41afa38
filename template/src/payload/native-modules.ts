import { stat } from "node:fs/promises";
import { join } from "node:path";
import { isErrno } from "@berth/base/node";

/** What the bundles leave outside, with what that loads in turn. */
export const nativeModules = ["node-pty", "bufferutil", "node-gyp-build"] as const;

const entryFiles = ["index.js", "fallback.js", "node-gyp-build.js"];

/**
 * What a module needs at run time on this platform, of what is in its folder: its JavaScript, and native code built or
 * brought along. Files and folders, relative to it.
 */
export async function moduleParts(folder: string): Promise<readonly string[]> {
  const native = ["build/Release", `prebuilds/${process.platform}-${process.arch}`];
  const found: string[] = [];
  for (const part of ["package.json", "lib", ...entryFiles, ...native]) {
    if (await exists(join(folder, part))) found.push(part);
  }
  return found;
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
