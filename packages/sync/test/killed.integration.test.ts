import { randomBytes } from "node:crypto";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { eventually } from "@berth/testkit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { LocalSide, RemoteSide } from "../src/index.ts";
import { below } from "../src/raw-path.ts";
import { backedUp, Pair, treeOf } from "./support/pair.ts";

const directions = ["push", "pull"] as const;
type Direction = (typeof directions)[number];

describe("a sync whose receiving rsync is killed", () => {
  let pair: Pair;

  beforeEach(async () => {
    pair = await Pair.make();
  });
  afterEach(() => pair.dispose());

  const sides = (direction: Direction) =>
    direction === "push" ? ([pair.host, pair.guest] as const) : ([pair.guest, pair.host] as const);

  /** Begins a run that sends a large file of this name, and kills all that writes in the middle of it; answers what is left. */
  async function cut(direction: Direction, name: string): Promise<string> {
    const [source, destination] = sides(direction);
    const before = new Set(readdirSync(destination, "latin1"));
    writeFileSync(below(source, name), randomBytes(4 * 1024 * 1024));
    const run = pair[direction]({ bwlimitKiB: 512 }).then(
      () => "ended in order",
      () => "failed",
    );
    const isLeft = (path: string) => !before.has(path) && path !== ".berth" && path !== "a";
    const left = await eventually(
      () =>
        readdirSync(destination, "latin1").find(
          (path) => isLeft(path) && (statSync(below(destination, path), { throwIfNoEntry: false })?.size ?? 0) > 0,
        ),
      { what: "a file under way" },
    );
    killWriters(destination);
    expect(await run).toBe("failed");
    expect(readdirSync(destination, "latin1").filter(isLeft)).toEqual([left]);
    return left ?? "";
  }

  const cases = [
    ["push", "large", "a first run"],
    ["push", ".hidden.", "a later run"],
    ["push", "new\nline \xff\xfe", "a later run"],
    ["push", "n".repeat(255), "a first run"],
    ["pull", "large", "a later run"],
    ["pull", ".new\nline \xff\xfe", "a first run"],
  ] as const;
  it.each(cases)("leaves nothing of it once it has run again (%s of %j, in %s)", async (direction, name, when) => {
    const [source, destination] = sides(direction);
    writeFileSync(join(source, "a"), "1");
    // Only looks like one of rsync's.
    writeFileSync(join(destination, ".mine.aBcDeF"), "mine", { mode: 0o600 });
    if (when === "a later run") await pair[direction]();
    const left = await cut(direction, name);
    expect(left).toMatch(/^\..*\.[A-Za-z0-9]{6}$/s);
    const cutContents = readFileSync(below(destination, left), "latin1");
    const notes: string[] = [];
    await pair[direction]({ onNote: (note) => notes.push(note) });
    const tree = await treeOf(destination);
    expect(tree).toMatchObject(await treeOf(source));
    expect(Object.keys(tree).filter((path) => path.startsWith("."))).toEqual(
      [".mine.aBcDeF", ...(name.startsWith(".") ? [name] : [])].sort(),
    );
    expect(readFileSync(join(destination, ".mine.aBcDeF"), "utf8")).toBe("mine");
    expect(await backedUp(pair)).toContain(cutContents);
    expect(notes.join()).toContain("left 1 unfinished files");
    expect(existsSync(join(destination, ".berth/sync"))).toBe(false);
  });

  it.each(directions)("has nobody take what it left for a file (%s)", async (direction) => {
    const [source, destination] = sides(direction);
    writeFileSync(join(source, "a"), "1");
    await pair[direction]();
    const left = await cut(direction, "large");
    const other = direction === "push" ? "pull" : "push";
    writeFileSync(join(destination, ".theirs.txt"), "theirs");
    const look = await pair[other]({ dryRun: true });
    expect(look.changes.map(({ path, action }) => [path, action])).toEqual([
      [".theirs.txt", "create"],
      ["large", "stays"],
    ]);
    await pair[other]();
    expect(Object.keys(await treeOf(source)).sort()).toEqual([".theirs.txt", "a", "large"]);
    expect(readdirSync(destination), "a source is left alone").toContain(left);
  });

  it.each(directions)("has it put away though there is nothing to write any more (%s)", async (direction) => {
    const [source, destination] = sides(direction);
    writeFileSync(join(source, "a"), "1");
    await pair[direction]();
    await cut(direction, "large");
    rmSync(join(source, "large"));
    await pair[direction]();
    expect(Object.keys(await treeOf(destination))).toEqual(["a"]);
  });

  it("is told from its names, rights and times on either side alike", async () => {
    const files: readonly (readonly [name: string, mode: number])[] = [
      [".while it is written.abcdef", 0o600],
      [".it will be a program.abcdef", 0o700],
      ["folder/.about to get its name.aBcdef", 0o644],
      ["folder/.\xff\n.123456", 0o444],
      [".env.sample", 0o644],
      ["no dot.aBcdef", 0o600],
      [".too long.aBcdefg", 0o600],
      [".no letters.a-b-c-", 0o600],
      [".berth/.own.aBcdef", 0o600],
    ];
    for (const root of [pair.host, pair.guest]) {
      for (const folder of ["folder", ".berth/sync", ".folder.aBcDeF"])
        mkdirSync(join(root, folder), { recursive: true });
      for (const [name, mode] of files) {
        writeFileSync(below(root, name), "", { mode });
        chmodSync(below(root, name), mode);
      }
    }
    const host = new LocalSide({ root: pair.host, backups: join(pair.state, "backups") });
    const guest = new RemoteSide(pair.sandbox);
    for (const side of [host, guest]) expect(await side.leftovers(), "no run has begun").toEqual([]);
    for (const root of [pair.host, pair.guest]) {
      writeFileSync(join(root, ".berth/sync/unfinished"), "");
      utimesSync(join(root, ".berth/sync/unfinished"), 1, 1);
    }
    const expected = files.slice(0, 4).map(([name]) => name);
    for (const side of [host, guest]) expect([...(await side.leftovers())].sort()).toEqual([...expected].sort());
    for (const root of [pair.host, pair.guest]) utimesSync(join(root, ".berth/sync/unfinished"), 4e9, 4e9);
    for (const side of [host, guest]) expect(await side.leftovers(), "older than the marker").toEqual([]);
  });

  it("can be had back of a backup though its folder is gone, and not through a link in its place", async () => {
    mkdirSync(join(pair.guest, "a/b"), { recursive: true });
    writeFileSync(join(pair.guest, "a/b/c"), "1");
    await pair.pull();
    writeFileSync(join(pair.guest, "a/b/c"), "22");
    const { backup } = await pair.pull();
    const host = new LocalSide({ root: pair.host, backups: join(pair.state, "backups") });
    const restore = () => host.restore(backup ?? "", "a/b/c", "20260101T000000Z-000");
    rmSync(join(pair.host, "a"), { recursive: true });
    symlinkSync(pair.state, join(pair.host, "a"));
    expect(await restore()).toBe(false);
    expect(readdirSync(pair.state)).not.toContain("b");
    rmSync(join(pair.host, "a"));
    expect(await restore()).toBe(true);
    expect(readFileSync(join(pair.host, "a/b/c"), "utf8")).toBe("1");
  });

  it("has it put away though something of a backup was restored meanwhile", async () => {
    writeFileSync(join(pair.guest, "a"), "1");
    await pair.pull();
    writeFileSync(join(pair.guest, "a"), "22");
    const { backup } = await pair.pull();
    const left = await cut("pull", "large");
    const host = new LocalSide({ root: pair.host, backups: join(pair.state, "backups") });
    expect(await host.restore(backup ?? "", "a", "20260101T000000Z-000")).toBe(true);
    expect(readdirSync(pair.host)).toContain(left);
    await pair.pull();
    expect(Object.keys(await treeOf(pair.host)).sort()).toEqual(["a", "large"]);
  });
});

/** Kills every rsync that works in this folder: those that receive do, and no other run's can. */
function killWriters(folder: string): void {
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    try {
      const isRsync = readFileSync(`/proc/${pid}/comm`, "latin1") === "rsync\n";
      if (isRsync && readlinkSync(`/proc/${pid}/cwd`) === folder) process.kill(Number(pid), "SIGKILL");
    } catch {
      // It has ended.
    }
  }
}
