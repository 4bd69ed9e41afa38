import { readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";

/** A base that no emulator has asked for during this time belongs to an older Berth. */
const keptMs = 30 * 24 * 3600 * 1000;

/** Removes tarballs, and what killed builders left, that nobody needs any more; a third of a gigabyte each. */
export async function forgetOldBases(cacheDir: string): Promise<void> {
  for (const name of await readdir(cacheDir)) {
    if (!/^debian-12-[0-9a-f]{12}\.tar\.zst/.test(name)) continue;
    const path = join(cacheDir, name);
    const facts = await stat(path).catch(() => undefined);
    if (facts && Date.now() - facts.mtimeMs > keptMs) await rm(path, { recursive: true, force: true });
  }
}
