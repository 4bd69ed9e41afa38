import { describe, expect, it } from "vitest";
import { raiseKernelQuotas } from "../src/backend/lxc/kernel-quotas.ts";

/** A kernel with these quotas, of which some may not be changed. */
function kernelOf(quotas: Record<string, number>, fixed: readonly string[] = []) {
  const values = new Map(Object.entries(quotas).map(([name, value]) => [`/proc/sys/${name}`, `${value}\n`]));
  const lines: string[] = [];
  const access = {
    async read(path: string) {
      const value = values.get(path);
      if (value === undefined) throw new Error("ENOENT");
      return value;
    },
    async write(path: string, text: string) {
      if (fixed.some((name) => path === `/proc/sys/${name}`)) throw new Error("EROFS");
      values.set(path, text);
    },
  };
  const raise = () => raiseKernelQuotas((line) => void lines.push(line), access);
  return { raise, lines, of: (name: string) => Number(values.get(`/proc/sys/${name}`)) };
}

const instances = "fs/inotify/max_user_instances";
const keys = "kernel/keys/maxkeys";

describe("the kernel's quotas", () => {
  it("are raised where they are too low for many containers, and nobody is told", async () => {
    const kernel = kernelOf({ [instances]: 128, [keys]: 200 });
    await kernel.raise();
    // Twenty containers take about eight of the one and nine of the other each.
    expect(kernel.of(instances)).toBeGreaterThan(20 * 8 * 10);
    expect(kernel.of(keys)).toBeGreaterThan(20 * 9 * 10);
    expect(kernel.lines).toEqual([]);
  });

  it("are never lowered, and not missed where a kernel has none", async () => {
    const kernel = kernelOf({ [instances]: 1_000_000 });
    await kernel.raise();
    expect(kernel.of(instances)).toBe(1_000_000);
    expect(kernel.lines).toEqual([]);
  });

  it("are named, with the command that raises them, where they may not be raised", async () => {
    const kernel = kernelOf({ [instances]: 128, [keys]: 200 }, [instances, keys]);
    await kernel.raise();
    expect(kernel.lines).toEqual([
      expect.stringContaining("run `sysctl fs.inotify.max_user_instances=8192 kernel.keys.maxkeys=20000`"),
    ]);
  });
});
