import { describe, expect, it } from "vitest";
import { FleetKeys } from "../src/fleet/keys.ts";
import { describeOwner, readOwner } from "../src/fleet/ownership.ts";

const listener = { certificate: "", privateKey: "" };
const keys = new FleetKeys(Buffer.alloc(32, 1), listener);
const others = new FleetKeys(Buffer.alloc(32, 2), listener);
const sandboxId = "sbx_0123456789abcdefghij";
const told = { name: "web", owner: "ada" };

describe("the mark in a container's description", () => {
  it("is read back as ours, with the sandbox and its host key", () => {
    expect(readOwner(keys, describeOwner(keys, sandboxId, 151, told), 151)).toEqual({
      kind: "ours",
      sandboxId,
      hostKeyFingerprint: keys.hostKey(sandboxId).fingerprint,
      told,
    });
  });

  it("is read without name and owner where an earlier version has made it", () => {
    const statement = `berth:1:${keys.fleetId}:${sandboxId}:151:${keys.hostKey(sandboxId).fingerprint}`;
    const read = readOwner(keys, `words\n\n${statement}:${keys.sign(statement)}`, 151);
    expect(read).toMatchObject({ kind: "ours", sandboxId, told: undefined });
  });

  it("holds neither with another name or owner put into it, nor without them", () => {
    const mark = describeOwner(keys, sandboxId, 151, told);
    const another =
      describeOwner(keys, sandboxId, 151, { ...told, owner: "eve" })
        .split(":")
        .at(-2) ?? "";
    const own = mark.split(":").at(-2) ?? "";
    expect(readOwner(keys, mark.replace(own, another), 151).kind).toBe("foreign");
    expect(readOwner(keys, mark.replace(`:${own}:`, ":"), 151).kind).toBe("foreign");
  });

  it("survives what Proxmox does to descriptions", () => {
    expect(readOwner(keys, `${describeOwner(keys, sandboxId, 151, told)}\n`, 151).kind).toBe("ours");
  });

  it("does not hold for a copy of the container under another id", () => {
    expect(readOwner(keys, describeOwner(keys, sandboxId, 151, told), 152)).toMatchObject({ kind: "foreign" });
  });

  it("does not hold for another fleet, nor when any part of it was changed", () => {
    const mark = describeOwner(keys, sandboxId, 151, told);
    expect(readOwner(others, mark, 151).kind).toBe("foreign");
    expect(readOwner(keys, mark.replace(sandboxId, "sbx_1123456789abcdefghij"), 151).kind).toBe("foreign");
    expect(readOwner(keys, mark.replace(":151:", ":152:"), 152).kind).toBe("foreign");
  });

  it("is absent from other containers", () => {
    expect(readOwner(keys, undefined, 151).kind).toBe("unmarked");
    expect(readOwner(keys, "my mail server", 151).kind).toBe("unmarked");
  });
});
