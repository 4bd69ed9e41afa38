import { createHash, randomBytes } from "node:crypto";
import { mkdir, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { isErrno } from "@berth/base/node";
import { CommandFailed, runCommand } from "../command.ts";
import { withBuildLock } from "./build-lock.ts";
import { buildProgress } from "./build-progress.ts";
import { forgetOldBases } from "./old-bases.ts";
import { type Recipe, recipe } from "./recipe.ts";

export interface DebianBaseOptions {
  /** Folder of the cache; made if need be. */
  readonly cacheDir: string;
  /** Gets lines of progress. */
  readonly report: (line: string) => void;
  /** Stops the making; a cached tarball is unharmed. */
  readonly signal?: AbortSignal;
  /** Where Debian's packages come from; by default the machine's own mirrors if it runs the same Debian. */
  readonly mirror?: string;
}

/** Debian could not be had: the message says why and what to do. */
export class DebianBaseMissing extends Error {}

/**
 * The path of a zstd tarball of Debian 12 with every Debian package of a sandbox, with Docker and the like where they
 * could be had, and with nothing of Berth's. It is named by its recipe and made once a machine: that takes about a
 * minute and needs root, mmdebstrap and a Debian mirror. Several processes may ask at once: one of them makes it.
 */
export async function debianBase(options: DebianBaseOptions): Promise<string> {
  const how = recipe(options.mirror);
  const name = createHash("sha256").update(JSON.stringify(how)).digest("hex").slice(0, 12);
  const path = join(options.cacheDir, `debian-12-${name}.tar.zst`);
  if (await exists(path)) {
    // So that it is not taken for one that nobody needs any more.
    const now = new Date();
    await utimes(path, now, now);
    return path;
  }
  await mkdir(options.cacheDir, { recursive: true, mode: 0o700 });
  await withBuildLock(`${path}.lock`, options, async () => {
    if (!(await exists(path))) await make(path, how, options);
  });
  await forgetOldBases(options.cacheDir);
  return path;
}

async function make(path: string, how: Recipe, options: DebianBaseOptions): Promise<void> {
  options.report("making Debian 12 with mmdebstrap: about a minute, once on this machine");
  const draft = `${path}.${randomBytes(6).toString("hex")}`;
  const hook = `${draft}.hook`;
  try {
    await writeFile(hook, how.hook, { mode: 0o755 });
    const pipe = 'set -o pipefail; out=$1; shift; mmdebstrap "$@" | zstd -q -T0 -3 -o "$out"';
    await runCommand("bash", ["-c", pipe, "mmdebstrap", `${draft}.tmp`, `--customize-hook=${hook}`, ...how.args], {
      report: buildProgress(options.report),
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    });
    await rename(`${draft}.tmp`, path);
  } catch (cause) {
    throw cause instanceof CommandFailed ? explained(cause) : cause;
  } finally {
    for (const left of [hook, `${draft}.tmp`]) await rm(left, { force: true });
  }
  options.report("Debian 12 is made");
}

/** mmdebstrap's own last words, with what helps. */
function explained(cause: CommandFailed): DebianBaseMissing {
  const said = cause.lastLines.join("\n");
  const cures: readonly (readonly [RegExp, string])[] = [
    [/mmdebstrap: command not found/, "mmdebstrap is not installed: `apt-get install mmdebstrap`"],
    [/zstd: command not found/, "zstd is not installed: `apt-get install zstd`"],
    [/Could not resolve|Could not connect|Failed to fetch|Unable to connect/, "no Debian mirror can be reached"],
    [/No space left/, "the disk is full"],
    [/unshare|Operation not permitted|must be root|superuser/, "it needs root, and an unrestricted one"],
  ];
  const cure = cures.find(([pattern]) => pattern.test(said))?.[1] ?? "see what it said";
  return new DebianBaseMissing(`Debian 12 could not be made: ${cure}\n${said}`, { cause });
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
