import { readFile, writeFile } from "node:fs/promises";

/**
 * What the kernel grants each user, and all containers are one user to it: with its defaults about twenty of them boot.
 * Each systemd takes about eight inotify instances and nine keys.
 */
const wanted: Readonly<Record<string, number>> = {
  "fs/inotify/max_user_instances": 8192,
  "fs/inotify/max_user_watches": 524_288,
  "kernel/keys/maxkeys": 20_000,
  "kernel/keys/maxbytes": 2_000_000,
};

/** Where the kernel tells its quotas and takes others. */
const kernel: KernelQuotas = { read: (path) => readFile(path, "utf8"), write: (path, text) => writeFile(path, text) };

export interface KernelQuotas {
  read(path: string): Promise<string>;
  /** Throws where it is not allowed. */
  write(path: string, text: string): Promise<void>;
}

/** Raises the kernel's quotas where they are lower and that is allowed; reports the others in one line. */
export async function raiseKernelQuotas(
  report: (line: string) => void,
  { read, write }: KernelQuotas = kernel,
): Promise<void> {
  const refused: string[] = [];
  for (const [name, least] of Object.entries(wanted)) {
    const path = `/proc/sys/${name}`;
    const present = Number(await read(path).catch(() => Number.NaN));
    if (Number.isNaN(present) || present >= least) continue;
    await write(path, String(least)).catch(() => refused.push(`${name.replaceAll("/", ".")}=${least}`));
  }
  if (refused.length === 0) return;
  report(`many containers need more of the kernel than this process may grant: run \`sysctl ${refused.join(" ")}\``);
}
