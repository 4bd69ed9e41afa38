import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryDirectory } from "@berth/testkit";
import { describe, expect, it } from "vitest";
import { guestFilesOf } from "../src/backend/lxc/guest-files.ts";
import { freeRange } from "../src/backend/lxc/id-range.ts";
import { containerName, prefixOf, vmidOf } from "../src/backend/lxc/names.ts";
import { reasonOf } from "../src/backend/lxc/start-failure.ts";

describe("the ids of containers", () => {
  it("are Proxmox VE's own where they are nobody else's", () => {
    expect(freeRange("")).toEqual({ first: 100_000, count: 65_536 });
    expect(freeRange("root:100000:65536\n0:100000:65536\n")).toEqual({ first: 100_000, count: 65_536 });
  });

  it("are the next ones where they are another user's", () => {
    expect(freeRange("debian:100000:65536\n").first).toBe(165_536);
    expect(freeRange("debian:100000:65536\nci:165536:65536\n").first).toBe(231_072);
    expect(freeRange("debian:120000:10\n").first).toBe(165_536);
  });
});

describe("the name of a container", () => {
  it("tells its vmid to the emulator of its data folder alone", () => {
    const name = containerName("/data/one", 201);
    expect(name).toMatch(/^bp[0-9a-f]{8}-201$/);
    expect(vmidOf("/data/one", name)).toBe(201);
    expect(vmidOf("/data/two", name)).toBeUndefined();
    expect(prefixOf("/data/one/")).toBe(prefixOf("/data/one"));
  });
});

describe("the files that a container gets at its start", () => {
  const settings = { hostname: "one.lan", nameservers: ["10.0.0.1"], searchDomain: "lan" };
  const filesOf = (card: object) =>
    guestFilesOf({ ...settings, cards: [{ name: "eth0", mac: "02:00:00:00:00:01", ...card }] });
  const unitOf = (card: object) =>
    filesOf(card).find(({ path }) => path === "etc/systemd/network/eth0.network")?.contents;

  it("name it and its resolvers", () => {
    const files = new Map(filesOf({ ip: "dhcp" }).map(({ path, contents }) => [path, contents]));
    expect(files.get("etc/hostname")).toBe("one\n");
    expect(files.get("etc/hosts")).toContain("127.0.1.1 one.lan one\n");
    expect(files.get("etc/resolv.conf")).toBe("search lan\nnameserver 10.0.0.1\n");
  });

  it("configure its cards by DHCP, by hand, or not at all", () => {
    expect(unitOf({ ip: "dhcp" })).toContain("DHCP=ipv4\n");
    expect(unitOf({ ip: "dhcp", ip6: "dhcp" })).toContain("DHCP=yes\n");
    const fixed = unitOf({ ip: "10.0.0.5/24", gateway: "10.0.0.1" });
    expect(fixed).toContain("DHCP=no\n");
    expect(fixed).toContain("Address=10.0.0.5/24\nGateway=10.0.0.1\n");
    expect(unitOf({ ip: "manual", ip6: "auto" })).toContain("IPv6AcceptRA=true\n");
    expect(unitOf({ ip: "manual" })).not.toContain("Address=");
  });
});

describe("the reason why a container did not start", () => {
  it("is the first thing that went wrong, not what followed from it", async () => {
    const directory = await temporaryDirectory();
    const log = join(directory.path, "lxc.log");
    const line = (text: string) =>
      `lxc-start bp-201 20261121074622.512 ERROR    conf - ../src/lxc/conf.c:run_buffer:322 - ${text}\n`;
    writeFileSync(
      log,
      `lxc-start bp-201 20261121074622.511 INFO     conf - ../src/lxc/conf.c:x:1 - fine\n${line("Received container state")}${line("Script exited with status 2")}${line("Failed to create network device")}`,
    );
    expect(await reasonOf(log)).toEqual({
      cause: "Script exited with status 2",
      lines: ["Received container state", "Script exited with status 2", "Failed to create network device"],
    });
    expect(await reasonOf(join(directory.path, "none"))).toEqual({ cause: undefined, lines: [] });
    await directory.dispose();
  });
});
