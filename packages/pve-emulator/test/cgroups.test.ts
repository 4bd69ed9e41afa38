import { describe, expect, it } from "vitest";
import { limitKeys } from "../src/backend/lxc/cgroups.ts";

const limits = { memoryMiB: 512, swapMiB: 256, cores: 2 };

describe("the limits of a container", () => {
  it("are the control groups' of version 2 where the machine has that alone", () => {
    expect(limitKeys(limits, { version: 2, countsSwap: true })).toEqual([
      ["lxc.cgroup2.memory.max", "536870912"],
      ["lxc.cgroup2.memory.swap.max", "268435456"],
      ["lxc.cgroup2.cpu.max", "200000 100000"],
      ["lxc.cgroup2.pids.max", "16384"],
    ]);
  });

  it("are those of version 1 where it has both: LXC ignores the others there", () => {
    expect(limitKeys(limits, { version: 1, countsSwap: true })).toEqual([
      ["lxc.cgroup.memory.limit_in_bytes", "536870912"],
      // Memory and swap together.
      ["lxc.cgroup.memory.memsw.limit_in_bytes", "805306368"],
      ["lxc.cgroup.cpu.cfs_period_us", "100000"],
      ["lxc.cgroup.cpu.cfs_quota_us", "200000"],
      ["lxc.cgroup.pids.max", "16384"],
    ]);
  });

  it("leave out what the kernel does not count, and bound no processors where none are said", () => {
    const names = (version: 1 | 2) =>
      limitKeys({ ...limits, cores: undefined }, { version, countsSwap: false }).map((key) => key.join("="));
    expect(names(2).filter((key) => key.includes("swap"))).toEqual([]);
    expect(names(1).filter((key) => key.includes("memsw"))).toEqual([]);
    expect(names(2)).toContain("lxc.cgroup2.cpu.max=max 100000");
    expect(names(1)).toContain("lxc.cgroup.cpu.cfs_quota_us=-1");
  });
});
