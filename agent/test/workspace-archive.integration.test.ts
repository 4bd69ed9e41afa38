import { execFileSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { parseJson } from "@berth/protocol";
import Type from "typebox";
import { Value } from "typebox/value";
import { describe, expect, it } from "vitest";
import { tarHeader } from "../src/agent/workspace/archive/tar-header.ts";
import { workspaceOfEachTest } from "./support/workspace.ts";
import { linkPath } from "./support/workspace-call.ts";

const workspace = workspaceOfEachTest();
const { at, begin, done } = workspace;

const maxBytes = 64 * 1024 * 1024;
const pack = async (path: string, format: "tar" | "zip") => (await done("pack", { path: linkPath(path), format })).body;
const unpack = (tar: Buffer, path = "into", overwrite = false) =>
  begin("unpack", { path: linkPath(path), overwrite, maxBytes }).whole(tar);
const entry = (path: string | Buffer, more: Partial<Parameters<typeof tarHeader>[0]> = {}, body = "") => {
  const known = { path: Buffer.from(path), kind: "file", mode: 0o644, mtimeNs: 0n, target: undefined } as const;
  const bytes = Buffer.from(body);
  const fill = Buffer.alloc((512 - (bytes.length % 512)) % 512);
  return Buffer.concat([tarHeader({ ...known, size: bytes.length, ...more }), bytes, fill]);
};
/** A header of a type that Berth itself does not write. */
const ofType = (type: string, path: string, target = "") => {
  const header = tarHeader({
    path: Buffer.from(path),
    kind: "link",
    mode: 0o644,
    size: 0,
    mtimeNs: 0n,
    target: Buffer.from(target),
  });
  header.write(type, 156, "latin1");
  header.write(" ".repeat(8), 148, "latin1");
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return header;
};

/** A tree with everything that is hard, as one long string. */
function oddTree(folder: string): void {
  const long = "n".repeat(255);
  mkdirSync(join(folder, "deep", long, "x".repeat(200)), { recursive: true });
  writeFileSync(join(folder, "deep", long, "x".repeat(200), "y".repeat(255)), randomBytes(70_000));
  for (const name of [" ", "a\nb", "-rf", "é", "back\\slash"]) writeFileSync(join(folder, name), name);
  writeFileSync(Buffer.concat([Buffer.from(`${folder}/`), Buffer.from([0xff, 0x80])]), "not UTF-8");
  writeFileSync(join(folder, "empty"), "");
  mkdirSync(join(folder, "empty folder"));
  symlinkSync("l".repeat(300), join(folder, "long link"));
  symlinkSync("../../../etc/passwd", join(folder, "link"));
  writeFileSync(join(folder, "run"), "#!/bin/sh");
  chmodSync(join(folder, "run"), 0o755);
  utimesSync(join(folder, "run"), 1, 1234567890.5);
}
const listing = (folder: string) =>
  execFileSync("find", [".", "-printf", "%P %y %m %l %s\\0"], { cwd: folder, encoding: "latin1" })
    .split("\0")
    .filter((line) => !line.includes(" d ") && line !== "")
    .sort();
const hashes = (folder: string) =>
  execFileSync("sh", ["-c", "find . -type f -print0 | sort -z | xargs -0 sha256sum -z"], {
    cwd: folder,
    encoding: "latin1",
  });

describe("a folder as an archive", () => {
  it("is a tar that GNU tar unpacks to the same", async () => {
    mkdirSync(at("tree"));
    oddTree(at("tree"));
    const out = join(workspace.outside, "out");
    mkdirSync(out);
    execFileSync("tar", ["-xf", "-", "-C", out], { input: await pack("tree", "tar") });
    expect(listing(join(out, "tree"))).toEqual(listing(at("tree")));
    expect(hashes(join(out, "tree"))).toBe(hashes(at("tree")));
    expect(statSync(join(out, "tree/run")).mtimeMs).toBe(1234567890500);
  });

  it("is a zip that others read to the same, of whatever names", async () => {
    mkdirSync(at("tree"));
    oddTree(at("tree"));
    const zip = join(workspace.outside, "a.zip");
    writeFileSync(zip, await pack("tree", "zip"));
    const script = `import sys,zipfile,json,hashlib; z=zipfile.ZipFile(sys.argv[1]); assert z.testzip() is None
print(json.dumps({i.filename: hashlib.sha256(z.read(i)).hexdigest() for i in z.infolist()}))`;
    const read = execFileSync("python3", ["-c", script, zip], { encoding: "utf8" });
    const files = execFileSync("find", ["tree", "-type", "f", "-print0"], { cwd: workspace.path, encoding: "latin1" });
    const sha256 = (bytes: Buffer) => createHash("sha256").update(bytes).digest("hex");
    const expected: Record<string, string> = {};
    for (const name of files.split("\0").slice(0, -1)) {
      const bytes = Buffer.from(name, "latin1");
      const contents = readFileSync(Buffer.concat([Buffer.from(`${workspace.path}/`), bytes]));
      expected[bytes.toString().replaceAll("\\", "_")] = sha256(contents);
    }
    for (const link of ["link", "long link"])
      expected[`tree/${link}`] = sha256(readlinkSync(at(`tree/${link}`), "buffer"));
    const { "tree/": _, ...found } = Value.Parse(Type.Record(Type.String(), Type.String()), parseJson(read));
    const isFolder = (name: string) => name.endsWith("/");
    expect(Object.fromEntries(Object.entries(found).filter(([name]) => !isFolder(name)))).toEqual(expected);
    expect(Object.keys(found).filter(isFolder)).toContain("tree/empty folder/");
  });

  it("may be the whole workspace, or one file, and follows no link", async () => {
    writeFileSync(join(workspace.outside, "secret"), "secret");
    symlinkSync(workspace.outside, at("up"));
    writeFileSync(at("f"), "f");
    const names = (tar: Buffer) =>
      execFileSync("tar", ["-tf", "-"], { input: tar, encoding: "utf8" }).trim().split("\n");
    expect(names(await pack("", "tar"))).toEqual(["workspace/", "workspace/f", "workspace/up"]);
    expect(names(await pack("f", "tar"))).toEqual(["f"]);
    const through = await begin("pack", { path: linkPath("up/secret"), format: "tar" }).whole();
    expect(through.closed.code).toBe("not_a_folder");
  });
});

describe("an archive that is unpacked", () => {
  it("is the tree that GNU tar has packed", async () => {
    const tree = join(workspace.outside, "tree");
    mkdirSync(tree);
    oddTree(tree);
    execFileSync("ln", ["run", "hard"], { cwd: tree });
    for (const format of ["gnu", "posix", "ustar"]) {
      const excluded = format === "ustar" ? ["--exclude=deep", "--exclude=long link"] : [];
      const tar = execFileSync("tar", [`--format=${format}`, ...excluded, "-cf", "-", "."], { cwd: tree });
      expect((await unpack(tar, format)).closed).toEqual({});
      if (format !== "ustar") {
        expect(listing(at(format))).toEqual(listing(tree));
        expect(hashes(at(format))).toBe(hashes(tree));
      }
      expect(statSync(at(`${format}/hard`)).ino).toBe(statSync(at(`${format}/run`)).ino);
    }
    expect(readdirSync(at(".berth/uploads"))).toEqual([".gitignore"]);
  });

  it("reaches nothing outside of its folder, by names or by links", async () => {
    writeFileSync(join(workspace.outside, "secret"), "secret");
    writeFileSync(at("beside"), "beside");
    const link = (path: string, target: string) => entry(path, { kind: "link", target: Buffer.from(target) });
    const attacks: [string, Buffer][] = [
      ["..", entry("../evil", {}, "x")],
      ["in the middle", entry("a/../../evil", {}, "x")],
      ["absolute", entry("/tmp/berth-evil", {}, "x")],
      ["through its own link", Buffer.concat([link("out", workspace.outside), entry("out/evil", {}, "x")])],
      ["through a link to above", Buffer.concat([link("up", ".."), entry("up/evil", {}, "x")])],
      ["a folder over a link", Buffer.concat([link("up", ".."), entry("up", { kind: "folder" }), entry("up/evil")])],
      ["a hard link to outside", ofType("1", "hard", "../../secret")],
      ["a hard link to beside", ofType("1", "hard", "../beside")],
      ["an absolute hard link", ofType("1", "hard", join(workspace.outside, "secret"))],
      [
        "a hard link through a link",
        Buffer.concat([link("out", workspace.outside), ofType("1", "hard", "out/secret")]),
      ],
      ["a device", ofType("3", "device")],
      ["a pipe", ofType("6", "pipe")],
      ["a name with a NUL in pax", Buffer.concat([pax("path=a\0b"), entry("x")])],
      [".. in pax", Buffer.concat([pax("path=../evil"), entry("x")])],
    ];
    for (const [what, tar] of attacks) {
      const { closed } = await unpack(tar, `into ${what}`);
      expect(closed.code, what).toMatch(/^(invalid_request|not_a_folder)$/);
    }
    expect(existsSync(join(workspace.outside, "evil"))).toBe(false);
    expect(existsSync(at("evil"))).toBe(false);
    expect(existsSync("/tmp/berth-evil")).toBe(false);
    expect(statSync(at("beside")).nlink).toBe(1);
  });

  it("replaces nothing unless asked, and then a file by a whole file", async () => {
    mkdirSync(at("into"));
    writeFileSync(at("into/f"), "old");
    const refused = await unpack(Buffer.concat([entry("a", {}, "a"), entry("f", {}, "new")]));
    expect(refused.closed).toEqual({ code: "exists", detail: '"f" is there already' });
    expect(readFileSync(at("into/f"), "utf8")).toBe("old");
    expect(readFileSync(at("into/a"), "utf8")).toBe("a");
    const taken = await unpack(Buffer.concat([entry("a", {}, "A"), entry("f", {}, "new")]), "into", true);
    expect(taken.answer).toEqual({ files: 2, folders: 0, links: 0, bytes: 4 });
    expect(readFileSync(at("into/f"), "utf8")).toBe("new");
    expect((await unpack(entry("f/below", {}, "x"), "into", true)).closed.code).toBe("not_a_folder");
  });

  it("that is none, or is cut, leaves no part of a file", async () => {
    const cut = entry("f", {}, "x".repeat(5000)).subarray(0, 3000);
    const noise = randomBytes(2048);
    for (const tar of [cut, noise, pax("size=99999999999999999999"), pax("path"), Buffer.from("short")]) {
      expect((await unpack(tar)).closed.code).toBe("invalid_request");
    }
    expect(readdirSync(at("into"))).toEqual([]);
    expect(readdirSync(at(".berth/uploads"))).toEqual([".gitignore"]);
    const sparse = await unpack(Buffer.concat([pax("GNU.sparse.major=1"), entry("x")]));
    expect(sparse.closed.detail).toContain("sparse");
  });
});

/** A pax header of one record. */
function pax(record: string): Buffer {
  const text = ` ${record}\n`;
  let length = text.length + 1;
  while (String(length).length + text.length !== length) length = String(length).length + text.length;
  const body = Buffer.from(`${length}${text}`);
  const header = tarHeader({
    path: Buffer.from("pax"),
    kind: "file",
    mode: 0o644,
    size: body.length,
    mtimeNs: 0n,
    target: undefined,
  });
  header.write("x", 156, "latin1");
  header.write(" ".repeat(8), 148, "latin1");
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return Buffer.concat([header, body, Buffer.alloc((512 - (body.length % 512)) % 512)]);
}
