import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { keptLimits, openDroppedFolder, removeOldest } from "../src/agent/files/dropped-folder.ts";
import { FileWrites } from "../src/agent/files/file-writes.ts";
import { createLog } from "../src/log.ts";
import { FileUpload } from "./support/file-upload.ts";
import { loopback } from "./support/loopback.ts";
import { temporaryRoot, until } from "./support/pty-host.ts";

let root: ReturnType<typeof temporaryRoot>;
let workspace: string;
let dropped: string;
let link: ReturnType<typeof loopback>;

beforeEach(() => {
  root = temporaryRoot();
  workspace = join(root.path, "workspace");
  dropped = join(workspace, ".berth/dropped");
  mkdirSync(workspace);
  link = serve(workspace);
});

afterEach(() => {
  link.close();
  root.remove();
});

function serve(place: string): ReturnType<typeof loopback> {
  const writes = new FileWrites({ workspace: place, log: createLog("test", () => {}) });
  return loopback((channel, _kind, params) => writes.open(channel, params));
}

const drop = (name: string, bytes: Uint8Array | string) => new FileUpload(link.dialler, name).whole(Buffer.from(bytes));
/** What is in the folder, but for what git is told. */
const inFolder = (folder = dropped) => readdirSync(folder).filter((name) => name !== ".gitignore");
/** How many files this process has open below a folder. */
const openBelow = (path: string) =>
  readdirSync("/proc/self/fd").filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith(path);
    } catch {
      // The one by which the folder was read is gone.
      return false;
    }
  }).length;

describe("a dropped file", () => {
  it("arrives whole, of any size, and nothing else is left open or beside it", async () => {
    const large = randomBytes(5 * 1024 * 1024 + 7);
    expect(await drop("shot 1.png", large)).toEqual({
      type: "written",
      path: join(dropped, "shot 1.png"),
      bytes: large.byteLength,
    });
    expect(readFileSync(join(dropped, "shot 1.png")).equals(large)).toBe(true);
    expect(await drop("empty", "")).toMatchObject({ path: join(dropped, "empty"), bytes: 0 });
    expect(inFolder().sort()).toEqual(["empty", "shot 1.png"]);
    await until(() => openBelow(root.path) === 0);
  });

  it("never takes the place of another, and is numbered instead", async () => {
    await drop("a.txt", "first");
    expect(await drop("a.txt", "second")).toMatchObject({ path: join(dropped, "a-2.txt") });
    expect(await drop("../a.txt", "third")).toMatchObject({ path: join(dropped, "a-3.txt") });
    expect(
      inFolder()
        .sort()
        .map((name) => readFileSync(join(dropped, name), "utf8")),
    ).toEqual(["second", "third", "first"]);
  });

  it("is not seen by git", async () => {
    execFileSync("git", ["init", "-q", workspace]);
    await drop("a.txt", "x");
    expect(execFileSync("git", ["-C", workspace, "status", "--porcelain", "-uall"], { encoding: "utf8" })).toBe("");
  });

  it("that is cut in the middle leaves nothing, whether its channel or its link ends", async () => {
    const cut = await new FileUpload(link.dialler, "cut.bin").answered();
    await cut.send(randomBytes(300_000));
    await until(() => inFolder().length === 1);
    expect(inFolder()[0], "it has no final name yet").toMatch(/^\.upload-/);
    cut.channel.close({ code: "cancelled" });
    await until(() => inFolder().length === 0);
    const lost = await new FileUpload(link.dialler, "lost.bin").answered();
    await lost.send(randomBytes(300_000));
    link.close();
    await until(() => inFolder().length === 0 && openBelow(root.path) === 0);
  });

  it("whose end does not fit, or that is too long, is refused and leaves nothing", async () => {
    const short = await new FileUpload(link.dialler, "short").answered();
    await short.send(Buffer.from("abc"));
    await short.end(4);
    expect(short.closed?.code).toBe("invalid_request");
    const long = await new FileUpload(link.dialler, "long", 1000).answered();
    await long.send(randomBytes(1001));
    await until(() => long.closed !== undefined);
    expect(long.closed?.code).toBe("payload_too_large");
    await until(() => inFolder().length === 0);
  });

  it("waits for no other, and a fifth at a time is refused", async () => {
    const uploads = await Promise.all(
      Array.from({ length: 5 }, (_, index) => new FileUpload(link.dialler, `${index}`).answered()),
    );
    expect(uploads.map(({ closed }) => closed?.code)).toEqual([...Array(4).fill(undefined), "limit_exceeded"]);
    await Promise.all(uploads.slice(0, 4).map((upload) => upload.end(0)));
    expect(await drop("next", "x")).toMatchObject({ type: "written" });
  });

  it("finds gone what a killed agent has left half-written, and leaves what is being written", async () => {
    await drop("a", "x");
    writeFileSync(join(dropped, ".upload-0123456789ab.part"), "half");
    const open = await new FileUpload(link.dialler, "b").answered();
    await drop("c", "x");
    expect(inFolder().filter((name) => name.endsWith(".part"))).toHaveLength(1);
    await open.end(0);
    expect(inFolder().sort()).toEqual(["a", "b", "c"]);
  });
});

describe("a workspace of somebody's who means ill", () => {
  it.each([".berth", ".berth/dropped"])("with a link at %s gets nothing written elsewhere", async (place) => {
    const outside = join(root.path, "outside");
    mkdirSync(outside);
    mkdirSync(join(workspace, place, ".."), { recursive: true });
    symlinkSync(outside, join(workspace, place));
    expect(await drop("a.txt", "x")).toMatchObject({ code: "conflict" });
    expect(readdirSync(outside)).toEqual([]);
  });

  it("with a file in the folder's place is told so", async () => {
    mkdirSync(join(workspace, ".berth"));
    writeFileSync(dropped, "");
    expect(await drop("a.txt", "x")).toMatchObject({ code: "conflict", detail: expect.stringContaining("dropped") });
  });

  it("with links under the file's name and for git gets neither followed", async () => {
    const target = join(root.path, "target");
    mkdirSync(dropped, { recursive: true });
    symlinkSync(target, join(dropped, "a.txt"));
    symlinkSync(target, join(dropped, ".gitignore"));
    expect(await drop("a.txt", "x")).toMatchObject({ path: join(dropped, "a-2.txt") });
    expect(existsSync(target)).toBe(false);
    expect(lstatSync(join(dropped, "a.txt")).isSymbolicLink()).toBe(true);
  });

  it("that swaps the folder for a link while a file comes gets nothing written elsewhere", async () => {
    const outside = join(root.path, "outside");
    mkdirSync(outside);
    const upload = await new FileUpload(link.dialler, "a.txt").answered();
    await upload.send(Buffer.from("ab"));
    renameSync(join(workspace, ".berth"), join(workspace, "moved"));
    symlinkSync(outside, join(workspace, ".berth"));
    mkdirSync(join(outside, "dropped"));
    await upload.send(Buffer.from("cd"));
    expect(await upload.end(4)).toMatchObject({ type: "written" });
    expect(readdirSync(join(outside, "dropped"))).toEqual([]);
    expect(readFileSync(join(workspace, "moved/dropped/a.txt"), "utf8")).toBe("abcd");
  });
});

describe("the disk", () => {
  it("that is full is told of, and keeps nothing of the file", async () => {
    if (process.getuid?.() !== 0) throw new Error("this test mounts a small file system, and needs root");
    const small = join(root.path, "small");
    mkdirSync(small);
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=256k", "berth-test", small]);
    const there = serve(small);
    try {
      const upload = new FileUpload(there.dialler, "big.bin");
      expect(await upload.whole(randomBytes(2 * 1024 * 1024))).toMatchObject({
        code: "insufficient_storage",
        detail: "the sandbox's disk is full",
      });
      await until(() => inFolder(join(small, ".berth/dropped")).length === 0 && openBelow(small) === 0);
      expect(await new FileUpload(there.dialler, "small.bin").whole(Buffer.from("x"))).toMatchObject({ bytes: 1 });
    } finally {
      there.close();
      execFileSync("umount", [small]);
    }
  });

  it("keeps no more than the newest files, so many and so large", async () => {
    for (const [index, name] of ["old", "middle", "new"].entries()) {
      await drop(name, "x".repeat(100));
      utimesSync(join(dropped, name), index + 1, index + 1);
    }
    const folder = await openDroppedFolder(workspace, new Set());
    try {
      await removeOldest(folder, "old", { ...keptLimits, bytes: 250 });
      expect(inFolder().sort(), "the one that came just now stays").toEqual(["new", "old"]);
      await removeOldest(folder, "old", { ...keptLimits, files: 1 });
      expect(inFolder()).toEqual(["old"]);
    } finally {
      await folder.close();
    }
  });
});
