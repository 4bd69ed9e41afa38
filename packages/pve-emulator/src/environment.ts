import { homedir } from "node:os";
import { delimiter, join } from "node:path";

// The only place of this package that reads the environment.

/** Where things are kept that many data folders use. */
export function cacheDir(): string {
  return process.env.BERTH_CACHE || join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "berth");
}

/** Where programs are looked for: also where only root's own shells look. */
export const searchPath: string = [process.env.PATH, "/usr/sbin", "/sbin", "/usr/bin", "/bin"]
  .filter(Boolean)
  .join(delimiter);
