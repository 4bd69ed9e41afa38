import { createHash, randomBytes } from "node:crypto";
import { mkdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { isErrno } from "@berth/base/node";
import { CommandFailed, runCommand } from "../command.ts";
import { debianPackages, dpkgExclusions } from "../packages.ts";
import { withBuildLock } from "./build-lock.ts";

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

const suite = "bookworm";

/** In the chroot of mmdebstrap, `$1` is the root: nothing of it may be the same in two containers. */
const cleaning =
  'rm -f "$1"/etc/ssh/ssh_host_* "$1"/etc/hostname "$1"/etc/resolv.conf; : >"$1"/etc/machine-id; rm -f "$1"/var/lib/dbus/machine-id';

/** Everything that makes one base differ from another. */
function recipe(options: DebianBaseOptions): readonly string[] {
  return [
    "--variant=minbase",
    "--mode=root",
    "--format=tar",
    `--architectures=${architecture()}`,
    // The tarball is thrown away if the machine dies meanwhile.
    "--dpkgopt=force-unsafe-io",
    ...dpkgExclusions.map((line) => `--dpkgopt=${line}`),
    `--include=${debianPackages.join(",")}`,
    '--customize-hook=systemctl --root="$1" enable systemd-networkd.service',
    `--customize-hook=${cleaning}`,
    suite,
    // The tarball on standard output.
    "-",
    ...(options.mirror === undefined ? [] : [options.mirror]),
  ];
}

function architecture(): string {
  return process.arch === "x64" ? "amd64" : process.arch;
}

/**
 * The path of a zstd tarball of Debian 12 with every Debian package of a sandbox and nothing of Berth's, in the cache.
 * Making it takes about a minute and needs root, mmdebstrap and a Debian mirror; it is named by its recipe, so it is
 * made once a machine. Several processes may ask at once: one of them makes it.
 */
export async function debianBase(options: DebianBaseOptions): Promise<string> {
  const args = recipe(options);
  const name = createHash("sha256").update(JSON.stringify(args)).digest("hex").slice(0, 12);
  const path = join(options.cacheDir, `debian-12-${name}.tar.zst`);
  if (await exists(path)) return path;
  await mkdir(options.cacheDir, { recursive: true, mode: 0o700 });
  await withBuildLock(`${path}.lock`, options, async () => {
    if (!(await exists(path))) await make(path, args, options);
  });
  return path;
}

async function make(path: string, args: readonly string[], options: DebianBaseOptions): Promise<void> {
  options.report("making Debian 12 with mmdebstrap: about a minute, once on this machine");
  const draft = `${path}.${randomBytes(6).toString("hex")}.tmp`;
  try {
    const command = ["-c", 'set -o pipefail; out=$1; shift; mmdebstrap "$@" | zstd -q -T0 -3 -o "$out"', "mmdebstrap"];
    await runCommand("bash", [...command, draft, ...args], {
      report: (line) => options.report(line.replace(/^I: /, "")),
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    });
    await rename(draft, path);
  } catch (cause) {
    throw cause instanceof CommandFailed ? explained(cause) : cause;
  } finally {
    await rm(draft, { force: true });
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
    [/unshare|Operation not permitted|must be root/, "it needs root, and may not run in a restricted container"],
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
