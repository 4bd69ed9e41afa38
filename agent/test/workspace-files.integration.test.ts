import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import {
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import type { WorkspaceAnswer } from "@berth/protocol/link";
import { describe, expect, it } from "vitest";
import { until } from "./support/pty-host.ts";
import { workspaceOfEachTest } from "./support/workspace.ts";
import { linkPath } from "./support/workspace-call.ts";

const workspace = workspaceOfEachTest();
const { at, begin, done, refused } = workspace;

const maxBytes = 64 * 1024 * 1024;
const read = async (path: string | Buffer, range?: { from: number; to?: number } | { last: number }) => {
  const { answer, body } = await done("read", { path: linkPath(path), ...(range ? { range } : {}) });
  return { ...(answer as WorkspaceAnswer<"read">), body };
};
const write = async (
  path: string | Buffer,
  bytes: Buffer | string,
  expected?: { version: string } | { absent: true },
) => {
  const params = { path: linkPath(path), maxBytes, ...(expected ? { expected } : {}) };
  return (await done("write", params, Buffer.from(bytes))).answer as WorkspaceAnswer<"write">;
};
/** What half-written files there are. */
const staged = () => {
  const folder = at(".berth/uploads");
  return existsSync(folder) ? readdirSync(folder).filter((name) => name !== ".gitignore") : [];
};
/** How many files this process has open below the workspace. */
const open = () =>
  readdirSync("/proc/self/fd").filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith(workspace.path);
    } catch {
      return false;
    }
  }).length;

/** Makes a link, unless something is there. */
function linked(target: string, path: string): boolean {
  try {
    symlinkSync(target, path);
    return true;
  } catch {
    return false;
  }
}

describe("a file", () => {
  it("is read as it was written, whole or in part, under any name", async () => {
    const bytes = randomBytes(3_000_001);
    const name = Buffer.concat([Buffer.from("new folder/-"), Buffer.from([0xff, 0x0a])]);
    const written = await write(name, bytes);
    expect(written).toMatchObject({ size: bytes.length, mode: 0o644, created: true });
    const whole = await read(name);
    expect(whole.body.equals(bytes)).toBe(true);
    expect(whole.version).toBe(written.version);
    expect((await read(name, { from: 10, to: 20 })).body.equals(bytes.subarray(10, 20))).toBe(true);
    expect((await read(name, { from: 3_000_000 })).body.equals(bytes.subarray(-1))).toBe(true);
    expect((await read(name, { last: 5 })).body.equals(bytes.subarray(-5))).toBe(true);
    expect(await read(name, { from: 4_000_000 })).toMatchObject({ from: bytes.length, to: bytes.length });
    expect(staged()).toEqual([]);
    await until(() => open() === 0);
  });

  it("has another version after every change, however fast, and the same while nothing changes", async () => {
    const versions = new Set<string>();
    for (let turn = 0; turn < 20; turn += 1) {
      writeFileSync(at("f"), String(turn % 10));
      versions.add((await read("f")).version);
    }
    expect(versions.size).toBe(20);
    expect((await read("f")).version).toBe((await read("f")).version);
    chmodSync(at("f"), 0o600);
    versions.add((await read("f")).version);
    expect(versions.size).toBe(21);
  });

  it("is written only if it is the one that was read, and keeps its mode", async () => {
    writeFileSync(at("f"), "one");
    chmodSync(at("f"), 0o750);
    const { version } = await read("f");
    expect(await write("f", "two", { version })).toMatchObject({ mode: 0o750, created: false });
    expect(await refused("write", { path: linkPath("f"), maxBytes, expected: { version } })).toBe("changed");
    expect(await refused("write", { path: linkPath("f"), maxBytes, expected: { absent: true } })).toBe("exists");
    expect(await refused("write", { path: linkPath("none"), maxBytes, expected: { version } })).toBe("changed");
    expect(readFileSync(at("f"), "utf8")).toBe("two");
    await write("new", "x", { absent: true });
    expect(readFileSync(at("new"), "utf8")).toBe("x");
  });

  it("that changes while it is being written is not overwritten, and of many writers one wins", async () => {
    writeFileSync(at("f"), "one");
    const { version } = await read("f");
    const call = begin("write", { path: linkPath("f"), maxBytes, expected: { version } });
    await call.send(Buffer.from("mine"));
    writeFileSync(at("f"), "theirs");
    call.channel.sendMessage({ type: "end", bytes: 4 });
    await until(() => call.closed !== undefined);
    expect(call.closed?.code).toBe("changed");
    expect(readFileSync(at("f"), "utf8")).toBe("theirs");
    const expected = { version: (await read("f")).version };
    const outcomes = await Promise.allSettled([1, 2, 3, 4].map((turn) => write("f", `writer ${turn}`, expected)));
    expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    expect(staged()).toEqual([]);
  });

  it("that is cut in the middle, or is too long, leaves nothing", async () => {
    writeFileSync(at("f"), "one");
    const cut = begin("write", { path: linkPath("f"), maxBytes });
    await cut.send(randomBytes(300_000));
    await until(() => staged().length === 1);
    cut.channel.close({ code: "cancelled" });
    await until(() => staged().length === 0);
    const long = begin("write", { path: linkPath("f"), maxBytes: 10 });
    await long.send(randomBytes(11));
    await until(() => long.closed !== undefined);
    expect(long.closed?.code).toBe("payload_too_large");
    expect(readFileSync(at("f"), "utf8")).toBe("one");
    await until(() => staged().length === 0 && open() === 0);
  });

  it("is not one: a link, a folder, a pipe, what is below a link", async () => {
    writeFileSync(join(workspace.outside, "secret"), "secret");
    symlinkSync(join(workspace.outside, "secret"), at("link"));
    symlinkSync(workspace.outside, at("up"));
    mkdirSync(at("folder"));
    execFileSync("sh", ["-c", 'mkfifo "$0"', at("pipe")]);
    for (const path of ["link", "folder", "pipe"]) {
      expect(await refused("read", { path: linkPath(path) }), path).toBe("not_a_file");
      expect(await refused("write", { path: linkPath(path), maxBytes }), path).toBe("not_a_file");
    }
    for (const path of ["up/secret", "up/new", "link/x"]) {
      expect(await refused("read", { path: linkPath(path) }), path).toBe("not_a_folder");
      expect(await refused("write", { path: linkPath(path), maxBytes }), path).toBe("not_a_folder");
    }
    expect(await refused("write", { path: "", maxBytes })).toBe("invalid_request");
    expect(readFileSync(join(workspace.outside, "secret"), "utf8")).toBe("secret");
    expect(existsSync(join(workspace.outside, "new"))).toBe(false);
  });

  it("of more than one name leaves the other names as they are", async () => {
    writeFileSync(join(workspace.outside, "other"), "before");
    linkSync(join(workspace.outside, "other"), at("f"));
    await write("f", "after");
    expect(readFileSync(join(workspace.outside, "other"), "utf8")).toBe("before");
  });

  it("below a folder that turns into a link and back all the time is never one outside", async () => {
    mkdirSync(join(workspace.outside, "real"));
    writeFileSync(join(workspace.outside, "real/f"), "secret");
    mkdirSync(at("a"));
    writeFileSync(at("a/f"), "mine");
    writeFileSync(at("g"), "g");
    let swapping = true;
    const swaps = (async () => {
      while (swapping) {
        renameSync(at("a"), at("b"));
        // A write that makes the folders on its way may make this one in between, again and again.
        while (!linked(join(workspace.outside, "real"), at("a"))) rmSync(at("a"), { recursive: true, force: true });
        await new Promise(setImmediate);
        rmSync(at("a"), { recursive: true, force: true });
        renameSync(at("b"), at("a"));
        await new Promise(setImmediate);
      }
    })();
    let seen = 0;
    for (let turn = 0; turn < 60; turn += 1) {
      const look = await begin("read", { path: linkPath("a/f") }).whole();
      expect(look.body.toString()).not.toContain("secret");
      if (look.closed.code === undefined) seen += 1;
      await begin("write", { path: linkPath("a/new"), maxBytes }).whole(Buffer.from("x"));
      await begin("remove", { path: linkPath("a/new"), recursive: true }).whole();
      await begin("move", { from: linkPath("g"), to: linkPath("a/g"), overwrite: true }).whole();
    }
    swapping = false;
    await swaps;
    expect(seen).toBeGreaterThan(0);
    expect(readdirSync(join(workspace.outside, "real"))).toEqual(["f"]);
  });
});

describe("a change of names", () => {
  it("moves files, links and folders, and replaces nothing unless asked", async () => {
    mkdirSync(at("folder"));
    writeFileSync(at("folder/f"), "f");
    symlinkSync("/nowhere", at("link"));
    const move = (from: string, to: string, overwrite = false) => ({
      from: linkPath(from),
      to: linkPath(to),
      overwrite,
    });
    await done("move", move("folder", "deep/er/folder"));
    await done("move", move("link", "moved"));
    expect(readFileSync(at("deep/er/folder/f"), "utf8")).toBe("f");
    expect(readlinkSync(at("moved"))).toBe("/nowhere");
    writeFileSync(at("g"), "g");
    mkdirSync(at("full"));
    writeFileSync(at("full/x"), "x");
    expect(await refused("move", move("g", "deep/er/folder/f"))).toBe("exists");
    expect(await refused("move", move("deep", "full"))).toBe("exists");
    expect(await refused("move", move("deep", "full", true))).toBe("conflict");
    expect(await refused("move", move("deep", "deep/er/x"))).toBe("conflict");
    expect(existsSync(at("deep/er/x"))).toBe(false);
    expect(await refused("move", move("none", "x"))).toBe("not_found");
    expect(await refused("move", move("g", "../g"))).toBe("invalid_request");
    await done("move", move("g", "deep/er/folder/f", true));
    expect(readFileSync(at("deep/er/folder/f"), "utf8")).toBe("g");
  });

  it("makes folders, and says where there is one", async () => {
    await done("makeFolder", { path: linkPath("a/b") });
    expect(statSync(at("a/b")).isDirectory()).toBe(true);
    expect(await refused("makeFolder", { path: linkPath("a/b") })).toBe("exists");
    expect(await refused("makeFolder", { path: "" })).toBe("exists");
  });

  it("removes folders with all that is in them only when asked, and nothing that links lead to", async () => {
    mkdirSync(at("a/b/c"), { recursive: true });
    mkdirSync(join(workspace.outside, "kept"));
    writeFileSync(join(workspace.outside, "kept/f"), "");
    symlinkSync(join(workspace.outside, "kept"), at("a/b/link"));
    const remove = (path: string, recursive: boolean) => ({ path: linkPath(path), recursive });
    expect(await refused("remove", remove("a", false))).toBe("conflict");
    await done("remove", remove("a/b/c", false));
    await done("remove", remove("a", true));
    expect(existsSync(at("a"))).toBe(false);
    expect(readdirSync(join(workspace.outside, "kept"))).toEqual(["f"]);
    expect(await refused("remove", remove("a", true))).toBe("not_found");
    expect(await refused("remove", remove("", true))).toBe("invalid_request");
    writeFileSync(at("f"), "one");
    const { version } = await read("f");
    writeFileSync(at("f"), "two");
    expect(await refused("remove", { ...remove("f", false), version })).toBe("changed");
    expect(existsSync(at("f"))).toBe(true);
  });
});
