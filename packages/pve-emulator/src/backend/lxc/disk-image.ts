import { open, readdir, readFile, rename, stat, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { systemClock } from "@berth/base";
import { discard } from "../trash.ts";
import { run } from "./command.ts";

const detachTimeoutMs = 10_000;
const pollMs = 5;
/** In every superblock of ext4. */
const ext4Magic = 0xef53;

/** Makes a sparse file of this size with an empty ext4 file system in it. */
export async function makeImage(path: string, bytes: number): Promise<void> {
  const draft = `${path}.new`;
  await writeFile(draft, "", { mode: 0o600 });
  await truncate(draft, bytes);
  // No blocks are kept back for root: the container's root is none to this file system.
  await run("mkfs.ext4", ["-q", "-F", "-m", "0", "-E", "lazy_itable_init=1,lazy_journal_init=1", draft]);
  await rename(draft, path);
}

/** Copies an image, holes kept, and puts the copy in the place of what was at the target. */
export async function copyImage(dataDir: string, source: string, target: string, signal?: AbortSignal): Promise<void> {
  const draft = `${target}.new`;
  const options = ["--sparse=always", "--reflink=auto", "-T", "--"];
  await run("cp", [...options, source, draft], signal ? { signal } : {});
  await discard(dataDir, target);
  await rename(draft, target);
}

/** Bytes that an image takes up on the machine's disk; 0 when there is none. */
export async function imageBytes(path: string): Promise<number> {
  const found = await stat(path).catch(() => undefined);
  return found ? found.blocks * 512 : 0;
}

/** Gives an image that is not mounted a file system of this size, if it has a smaller one. */
export async function growImage(path: string, bytes: number): Promise<void> {
  const fileSystem = await readFileSystem(path);
  if (fileSystem.bytes >= bytes) return;
  // Most clones get their size before their first start: an empty file system is made anew sooner than it grows.
  if (!fileSystem.everMounted) return makeImage(path, bytes);
  await truncate(path, bytes);
  // Answers 1 when it has mended something; resize2fs refuses what is left unclean.
  await run("e2fsck", ["-f", "-p", path]).catch(() => {});
  await run("resize2fs", [path]);
}

/**
 * Gives an image that is mounted in the mount namespace of this process a new, larger size. Needs CAP_SYS_RESOURCE,
 * which root of a container or of a restricted machine may lack.
 */
export async function growMountedImage(path: string, bytes: number, pid: number): Promise<void> {
  await truncate(path, bytes);
  const device = await loopDeviceOf(path);
  if (device === undefined) throw new Error(`${path} is not mounted`);
  await run("losetup", ["-c", device]);
  await run("nsenter", ["-t", String(pid), "-m", "--", "resize2fs", device]);
}

/** The ext4 file system in an image: its size, and whether anything may be in it, from its superblock. */
async function readFileSystem(path: string): Promise<{ readonly bytes: number; readonly everMounted: boolean }> {
  const file = await open(path, "r");
  try {
    const { buffer } = await file.read(Buffer.alloc(1024), 0, 1024, 1024);
    const [low, high] = [buffer.readUInt32LE(0x04), buffer.readUInt32LE(0x150)];
    const bytes = (low + high * 2 ** 32) * 2 ** (10 + buffer.readUInt32LE(0x18));
    // A superblock that is damaged says nothing: whatever is in the image is kept for its owner to mend.
    const whole = buffer.readUInt16LE(0x38) === ext4Magic;
    return { bytes, everMounted: !whole || buffer.readUInt32LE(0x2c) !== 0 };
  } finally {
    await file.close();
  }
}

/** The loop device of an image, while it is mounted anywhere. */
export async function loopDeviceOf(path: string): Promise<string | undefined> {
  for (const name of await readdir("/sys/block")) {
    if (!name.startsWith("loop")) continue;
    const file = await readFile(join("/sys/block", name, "loop/backing_file"), "utf8").catch(() => "");
    if (file.trim() === path) return `/dev/${name}`;
  }
  return undefined;
}

/** Resolves when an image is mounted nowhere any more, which is a little after the end of its container. */
export async function untilDetached(path: string): Promise<void> {
  const deadline = performance.now() + detachTimeoutMs;
  while ((await loopDeviceOf(path)) !== undefined) {
    if (performance.now() > deadline) throw new Error(`${path} is still mounted`);
    await systemClock.sleep(pollMs);
  }
}
