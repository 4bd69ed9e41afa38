import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { Scope } from "@berth/base";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { TransferProgress } from "../src/index.ts";
import { backedUp, Pair, treeOf } from "./support/pair.ts";

const isRoot = process.getuid?.() === 0;

describe("a sync", () => {
  let scope: Scope;
  let pair: Pair;

  beforeEach(async () => {
    scope = new Scope();
    pair = await Pair.make();
    scope.add(() => pair.dispose());
  });
  afterEach(() => scope.dispose());

  /** Puts a file system of a few MiB below a folder, until the end of the test. */
  function makeSmall(folder: string): void {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=4m", "tmpfs", folder]);
    scope.add(() => void execFileSync("umount", [folder]));
  }

  it.runIf(isRoot).each(["push", "pull"] as const)(
    "whose destination is full leaves nothing half-written, loses nothing, and goes on when there is room (%s)",
    async (direction) => {
      const [source, destination] = direction === "push" ? [pair.host, pair.guest] : [pair.guest, pair.host];
      makeSmall(destination);
      writeFileSync(join(source, "kept"), "first");
      await pair[direction]();
      writeFileSync(join(source, "kept"), "second, and longer");
      writeFileSync(join(source, "large"), randomBytes(8 * 1024 * 1024));
      await expect(pair[direction]()).rejects.toMatchObject({ code: "disk_full" });
      expect(readdirSync(destination)).not.toContain("large");
      const contents = [readFileSync(join(destination, "kept"), "utf8"), ...(await backedUp(pair))];
      expect(contents).toContain("first");
      execFileSync("mount", ["-o", "remount,size=64m", destination]);
      await pair[direction]();
      expect(await treeOf(destination)).toEqual(await treeOf(source));
    },
  );

  it("brings nothing to the host but what is in the sandbox's folder, whatever links are in the way", async () => {
    const outside = join(pair.state, "outside");
    mkdirSync(outside);
    writeFileSync(join(outside, "secret"), "of the host");
    mkdirSync(join(pair.host, "folder"));
    // What an earlier pull might have brought, had it been less careful.
    symlinkSync(outside, join(pair.host, "trap"));
    mkdirSync(join(pair.guest, "trap"));
    writeFileSync(join(pair.guest, "trap/secret"), "of the sandbox");
    symlinkSync("../../state/outside/secret", join(pair.guest, "climbs"));
    symlinkSync("/etc/passwd", join(pair.guest, "absolute"));
    // By its letters it stays inside; by way of the other link it does not.
    symlinkSync(".", join(pair.guest, "dot"));
    symlinkSync("dot/../state/outside", join(pair.guest, "climbs by a link"));
    mkdirSync(join(pair.guest, ".berth"));
    symlinkSync(outside, join(pair.guest, ".berth/sync"));
    chmodSync(pair.guest, 0o777);
    mkdirSync(join(pair.guest, "sub/.git/hooks"), { recursive: true });
    writeFileSync(join(pair.guest, "sub/.git/hooks/post-checkout"), "#!/bin/sh\n");
    const mode = statSync(pair.host).mode;
    for (const deletes of [false, true]) {
      const { changes } = await pair.pull({ deletes });
      const links = changes.filter(({ reason }) => reason === "a link that leads out of the folder");
      expect(links.map(({ path, action }) => [path, action]).sort()).toEqual([
        ["absolute", "skipped"],
        ["climbs by a link", "skipped"],
        ["climbs", "skipped"],
      ]);
    }
    expect(readdirSync(outside)).toEqual(["secret"]);
    expect(readFileSync(join(outside, "secret"), "utf8")).toBe("of the host");
    expect(readdirSync(pair.host)).not.toContain("climbs");
    expect(readdirSync(pair.host)).not.toContain("absolute");
    expect(readdirSync(pair.host)).not.toContain("climbs by a link");
    expect(readdirSync(join(pair.host, "sub"))).toEqual([]);
    expect(statSync(pair.host).mode).toBe(mode);
  });

  it("writes nothing elsewhere on the host while the sandbox makes a link of a folder and a folder of it", async () => {
    const outside = join(pair.state, "outside");
    mkdirSync(outside);
    writeFileSync(join(outside, "f"), "outside");
    const [place, folder, link] = [join(pair.guest, "a"), join(pair.guest, "folder"), join(pair.guest, "link")];
    mkdirSync(folder);
    symlinkSync("../state/outside", link);
    let swapping = true;
    const swaps = (async () => {
      while (swapping) {
        for (const one of [folder, link]) {
          renameSync(one, place);
          await new Promise(setImmediate);
          renameSync(place, one);
        }
      }
    })();
    let pulled = 0;
    try {
      for (let turn = 0; turn < 8; turn += 1) {
        // Between two turns of the loop one of both is in the place, and the other at its own.
        writeFileSync(join(existsSync(folder) ? folder : place, `f ${turn}`), `turn ${turn}`);
        await pair.pull({ deletes: turn % 2 === 1 }).then(
          () => (pulled += 1),
          () => undefined,
        );
        expect(lstatSync(join(pair.host, "a"), { throwIfNoEntry: false })?.isSymbolicLink()).not.toBe(true);
      }
    } finally {
      swapping = false;
      await swaps;
    }
    expect(pulled).toBeGreaterThan(0);
    expect(readFileSync(join(outside, "f"), "utf8")).toBe("outside");
    expect(readdirSync(outside)).toEqual(["f"]);
  });

  it.each(["push", "pull"] as const)("leaves the other names of a file as they are (%s)", async (direction) => {
    const [source, destination] = direction === "push" ? [pair.host, pair.guest] : [pair.guest, pair.host];
    const outside = join(pair.state, "outside");
    writeFileSync(outside, "before");
    linkSync(outside, join(destination, "f"));
    writeFileSync(join(source, "f"), "before");
    await pair[direction]({ resolutions: new Map([["f", "source"]]) });
    writeFileSync(join(source, "f"), "after, and longer");
    await pair[direction]();
    expect(readFileSync(join(destination, "f"), "utf8")).toBe("after, and longer");
    expect(readFileSync(outside, "utf8")).toBe("before");
    rmSync(join(source, "f"));
    await pair[direction]({ deletes: true });
    expect(readdirSync(destination)).not.toContain("f");
    expect(readFileSync(outside, "utf8")).toBe("before");
  });

  it.each(["push", "pull"] as const)("tells how far it has come, and keeps to a limit (%s)", async (direction) => {
    const source = direction === "push" ? pair.host : pair.guest;
    for (const name of ["a", "b", "c"]) writeFileSync(join(source, name), randomBytes(1024 * 1024));
    const told: TransferProgress[] = [];
    const begun = performance.now();
    await pair[direction]({ bwlimitKiB: 2048, onProgress: (progress) => told.push(progress) });
    expect(performance.now() - begun, "3 MiB at 2 MiB a second").toBeGreaterThan(1_000);
    expect(told.at(-1)).toMatchObject({ bytes: 3 * 1024 * 1024, files: 3, percent: 100 });
    const midway = told.filter(({ percent }) => percent !== null && percent > 10 && percent < 90);
    expect(midway.some(({ bytesPerSecond }) => bytesPerSecond > 0 && bytesPerSecond < 4e6)).toBe(true);
    expect(midway.some(({ secondsLeft }) => secondsLeft !== null)).toBe(true);
  });

  it.runIf(isRoot)(
    "gives what it writes to whom it belongs there, and takes set-id bits and everybody's rights away",
    async () => {
      writeFileSync(join(pair.host, "pushed"), "1");
      chownSync(join(pair.host, "pushed"), 4711, 4711);
      chmodSync(join(pair.host, "pushed"), 0o6755);
      await pair.push();
      expect(statSync(join(pair.guest, "pushed"))).toMatchObject({ uid: 0, gid: 0 });
      expect(statSync(join(pair.guest, "pushed")).mode & 0o7777).toBe(0o755);
      mkdirSync(join(pair.guest, "folder"));
      writeFileSync(join(pair.guest, "folder/pulled"), "1");
      chownSync(join(pair.guest, "folder/pulled"), 100_000, 100_000);
      chmodSync(join(pair.guest, "folder/pulled"), 0o6777);
      await pair.pull({ owner: { uid: 1234, gid: 2345 } });
      for (const path of ["folder", "folder/pulled"])
        expect(statSync(join(pair.host, path))).toMatchObject({ uid: 1234, gid: 2345 });
      expect(statSync(join(pair.host, "folder/pulled")).mode & 0o7777).toBe(0o775);
    },
  );

  it("takes no more from a sandbox than it may", async () => {
    writeFileSync(join(pair.guest, "a"), "1");
    for (const name of ["1", "2", "3"]) writeFileSync(join(pair.guest, name), name);
    await expect(pair.pull({ limits: { files: 2, bytes: 1e6 } })).rejects.toMatchObject({ code: "too_much" });
    for (const name of ["1", "2", "3"]) rmSync(join(pair.guest, name));
    for (const name of ["1", "2", "3"]) rmSync(join(pair.host, name), { force: true });
    await pair.pull();
    for (const name of ["b", "c", "d"]) writeFileSync(join(pair.guest, name), "12345");
    const small = { limits: { files: 2, bytes: 1e6 } };
    await expect(pair.pull(small)).rejects.toMatchObject({ code: "too_much" });
    await expect(pair.pull({ limits: { files: 10, bytes: 14 } })).rejects.toMatchObject({ code: "too_much" });
    // What was under way when it was cut is kept there, and is no file yet.
    expect(readdirSync(pair.host).filter((name) => name !== ".berth-partial")).toEqual(["a"]);
    rmSync(join(pair.guest, "d"));
    await pair.pull(small);
  });
});
