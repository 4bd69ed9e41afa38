import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatUpid, parseUpid } from "../src/tasks/upid.ts";

describe("a UPID", () => {
  it("comes apart into its parts", () => {
    const upid = "UPID:pve1:0003A2F1:01E4C2B7:65F1A2B3:vzclone:150:controller@pve!berth:";
    expect(parseUpid(upid)).toEqual({
      node: "pve1",
      pid: 0x3a2f1,
      pstart: 0x1e4c2b7,
      starttime: 0x65f1a2b3,
      type: "vzclone",
      id: "150",
      owner: "controller@pve!berth",
    });
  });

  it("is the same after being taken apart and put together", () => {
    const parts = fc.record({
      node: fc.constantFrom("pve", "node-2"),
      pid: fc.integer({ min: 1, max: 4_194_304 }),
      pstart: fc.integer({ min: 0, max: 0xfffffffff }),
      starttime: fc.integer({ min: 0, max: 0xffffffff }),
      type: fc.constantFrom("vzstart", "vzclone", "resize"),
      id: fc.constantFrom("", "150", "999999999"),
      owner: fc.constantFrom("root@pam", "controller@pve!berth"),
    });
    fc.assert(
      fc.property(parts, (given) => {
        expect(parseUpid(formatUpid(given))).toEqual(given);
      }),
    );
  });

  it("is none without its final colon, with lower-case numbers, or with a line break", () => {
    const good = "UPID:pve:00000001:00000001:00000001:vzstart:150:root@pam:";
    expect(parseUpid(good)).toBeDefined();
    for (const bad of ["garbage", good.slice(0, -1), good.replace("00000001", "0000000a"), `${good}\n`]) {
      expect(parseUpid(bad)).toBeUndefined();
    }
  });
});
