import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { isErrno, makePrivateDirectory, readTextIfExists, syncDirectory, writeFileAtomic } from "../src/node/index.ts";
import { temporaryFolder } from "./support/folder.ts";

const modeOf = (path: string) => statSync(path).mode & 0o777;

describe("an atomic write", () => {
  let umask: number;
  beforeEach(() => {
    umask = process.umask(0o077);
  });
  afterEach(() => void process.umask(umask));

  it("makes a file for its owner alone unless told otherwise, whatever the umask", async () => {
    const folder = temporaryFolder();
    await writeFileAtomic(join(folder, "secret"), "a");
    await writeFileAtomic(join(folder, "public"), Buffer.from("b"), 0o644);
    expect([modeOf(join(folder, "secret")), modeOf(join(folder, "public"))]).toEqual([0o600, 0o644]);
    expect(readFileSync(join(folder, "public"), "utf8")).toBe("b");
  });

  it("replaces contents and mode, and leaves nothing beside the file", async () => {
    const folder = temporaryFolder();
    const path = join(folder, "file");
    writeFileSync(path, "old and longer", { mode: 0o644 });
    await writeFileAtomic(path, "new");
    expect(readFileSync(path, "utf8")).toBe("new");
    expect(modeOf(path)).toBe(0o600);
    expect(readdirSync(folder)).toEqual(["file"]);
  });

  it("leaves nothing behind when it fails", async () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, "taken"));
    await expect(writeFileAtomic(join(folder, "taken"), "x")).rejects.toSatisfy((error) => isErrno(error, "EISDIR"));
    expect(readdirSync(folder)).toEqual(["taken"]);
  });

  it("fails in a folder that is not there", async () => {
    const path = join(temporaryFolder(), "none", "file");
    await expect(writeFileAtomic(path, "x")).rejects.toSatisfy((error) => isErrno(error, "ENOENT"));
  });

  it("shows every reader one whole version, with many writers at once", async () => {
    const folder = temporaryFolder();
    const path = join(folder, "file");
    const version = (letter: string) => letter.repeat(200_000);
    await writeFileAtomic(path, version("0"));
    let writing = true;
    const torn: string[] = [];
    let reads = 0;
    const read = async () => {
      while (writing) {
        const text = await readFile(path, "utf8");
        reads += 1;
        if (text !== version(text.charAt(0))) torn.push(`${text.length} bytes, ${[...new Set(text)].join("")}`);
      }
    };
    const write = async (letters: string) => {
      for (const letter of letters) await writeFileAtomic(path, version(letter));
    };
    const readers = [read(), read(), read()];
    await Promise.all([write("abcdefgh"), write("ijklmnop"), write("qrstuvwx")]);
    writing = false;
    await Promise.all(readers);
    expect(torn).toEqual([]);
    expect(reads).toBeGreaterThan(3);
    expect(readdirSync(folder)).toEqual(["file"]);
  });
});

describe("files", () => {
  it("are read as text where they exist", async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, "there"), "é");
    expect(await readTextIfExists(join(folder, "there"))).toBe("é");
    expect(await readTextIfExists(join(folder, "absent"))).toBeUndefined();
    await expect(readTextIfExists(folder)).rejects.toSatisfy((error) => isErrno(error, "EISDIR"));
  });

  it("have private folders, parents included; one that exists is left as it is", async () => {
    const folder = temporaryFolder();
    await makePrivateDirectory(join(folder, "a", "b"));
    expect([modeOf(join(folder, "a")), modeOf(join(folder, "a", "b"))]).toEqual([0o700, 0o700]);
    await makePrivateDirectory(join(folder, "a", "b"));
  });

  it("cannot be made durable in a folder that is not there", async () => {
    await expect(syncDirectory(join(temporaryFolder(), "none"))).rejects.toSatisfy((error) => isErrno(error, "ENOENT"));
  });

  it("fail with errors that are told by their code", () => {
    expect(isErrno(Object.assign(new Error(), { code: "EPERM" }), "EPERM")).toBe(true);
    for (const other of [new Error("EPERM"), { code: "EPERM" }, "EPERM", null, undefined]) {
      expect(isErrno(other, "EPERM")).toBe(false);
    }
  });
});
