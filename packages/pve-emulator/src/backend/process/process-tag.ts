import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";

/**
 * A mark that every process of a container carries, whatever it does: a limit on real-time scheduling that is far too
 * large to ever matter and different for each container. Children inherit limits, also those that start sessions of
 * their own, lose their parent, or overwrite their environment as sshd does; and anybody may read them, even of
 * processes that the kernel otherwise closes to their own user, as it does those of sshd.
 */
export type ProcessTag = string;

const prlimit = "/usr/bin/prlimit";

/** The tag of a container with this root: 2^50 microseconds and more. */
export function tagOfRoot(root: string): ProcessTag {
  const hash = createHash("sha256").update(root).digest();
  return String(2 ** 50 + hash.readUIntBE(0, 6));
}

/** The words that start a program under a tag. Without util-linux there is none, and the other signs must do. */
export function tagged(tag: ProcessTag, argv: readonly string[]): readonly string[] {
  return existsSync(prlimit) ? [prlimit, `--rttime=${tag}:${tag}`, "--", ...argv] : argv;
}

/** The tag of a process; undefined when it has none or is gone. */
export function tagOfProcess(pid: number | "self"): ProcessTag | undefined {
  try {
    return /^Max realtime timeout\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/limits`, "utf8"))?.[1];
  } catch {
    return undefined;
  }
}
