import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
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
import { describe, expect, it } from "vitest";
import { workspaceOfEachTest } from "./support/workspace.ts";
import { linkPath } from "./support/workspace-call.ts";

const workspace = workspaceOfEachTest();
const { at, begin, done } = workspace;

const unpack = (zip: Buffer, path = "into", { overwrite = false, maxBytes = 64 * 1024 * 1024 } = {}) =>
  begin("unpack", { path: linkPath(path), overwrite, maxBytes }).whole(zip);

/** What a program of Python's makes of `z`, a zip that is opened for writing. */
function zipOf(program: string): Buffer {
  const path = join(workspace.outside, "made.zip");
  execFileSync("python3", [
    "-c",
    `import zipfile,stat\nz=zipfile.ZipFile(${JSON.stringify(path)},"w")\n${program}\nz.close()`,
  ]);
  return readFileSync(path);
}
/** Lines that add an entry of a mode, which counts as one of Unix. */
const entry = (path: string, mode: number, body: string) =>
  `i=zipfile.ZipInfo(${JSON.stringify(path)}); i.create_system=3; i.external_attr=${mode}<<16; z.writestr(i,${JSON.stringify(body)})`;
const link = (path: string, target: string) => entry(path, 0o120777, target);
const listing = (folder: string) =>
  execFileSync("find", [".", "-printf", "%P %y %m %l %s %T@\\n"], { cwd: folder, encoding: "latin1" })
    .split("\n")
    .filter((line) => !line.includes(" d "))
    .sort();

describe("a zip that is unpacked", () => {
  it("is the tree that Berth has packed", async () => {
    mkdirSync(at("tree/deep/empty"), { recursive: true });
    for (const name of [" ", "a\nb", "-rf", "é", "y".repeat(255)]) writeFileSync(at(`tree/${name}`), name);
    writeFileSync(at("tree/deep/noise"), randomBytes(3_000_000));
    writeFileSync(at("tree/deep/zeros"), Buffer.alloc(3_000_000));
    writeFileSync(at("tree/run"), "#!/bin/sh");
    chmodSync(at("tree/run"), 0o750);
    symlinkSync("../../../etc/passwd", at("tree/link"));
    for (const name of readdirSync(at("tree"))) if (name !== "link") utimesSync(at(`tree/${name}`), 1, 1234567890);
    for (const name of ["noise", "zeros"]) utimesSync(at(`tree/deep/${name}`), 1, 1234567890);
    const { body } = await done("pack", { path: linkPath("tree"), format: "zip" });
    expect((await unpack(body)).answer).toMatchObject({ files: 8, links: 1 });
    const unlinked = (lines: string[]) => lines.filter((line) => !line.startsWith("link "));
    expect(unlinked(listing(at("into/tree")))).toEqual(unlinked(listing(at("tree"))));
    expect(readlinkSync(at("into/tree/link"))).toBe("../../../etc/passwd");
    expect(readFileSync(at("into/tree/deep/noise")).equals(readFileSync(at("tree/deep/noise")))).toBe(true);
    expect(statSync(at("into/tree/deep/empty")).isDirectory()).toBe(true);
    expect(readdirSync(at(".berth/uploads"))).toEqual([".gitignore"]);
  });

  it("is what other programs write: stored or deflated, with large numbers, without modes", async () => {
    const zip = zipOf(`z.writestr("stored/a", "A"*100000)
z.writestr("deflated", "B"*100000, zipfile.ZIP_DEFLATED)
with z.open(zipfile.ZipInfo("large"), "w", force_zip64=True) as f: f.write(b"C"*100000)
i=zipfile.ZipInfo("dos", (2020,1,2,3,4,6)); i.create_system=0; i.external_attr=32; z.writestr(i, "D")
z.comment=b"a comment"`);
    expect((await unpack(zip)).answer).toEqual({ files: 4, folders: 0, links: 0, bytes: 300_001 });
    for (const [name, letter] of [
      ["stored/a", "A"],
      ["deflated", "B"],
      ["large", "C"],
    ] as const)
      expect(readFileSync(at(`into/${name}`), "utf8")).toBe(letter.repeat(100_000));
    expect((await unpack(zipOf(""), "empty")).answer).toEqual({ files: 0, folders: 0, links: 0, bytes: 0 });
    expect(statSync(at("into/dos")).mode & 0o777).toBe(0o644);
    expect(statSync(at("into/dos")).mtimeMs).toBe(new Date(2020, 0, 2, 3, 4, 6).getTime());
  });

  it("reaches nothing outside of its folder, by names or by links", async () => {
    const attacks = {
      "..": entry("../evil", 0o100644, "x"),
      "in the middle": entry("a/../../evil", 0o100644, "x"),
      absolute: entry("/tmp/berth-evil", 0o100644, "x"),
      "through its own link": [link("out", workspace.outside), entry("out/evil", 0o100644, "x")].join("\n"),
      "through a link to above": [link("up", ".."), entry("up/evil", 0o100644, "x")].join("\n"),
      "a device": entry("device", 0o020644, ""),
      "a pipe": entry("pipe", 0o010644, ""),
    };
    for (const [what, program] of Object.entries(attacks)) {
      const { closed } = await unpack(zipOf(program), `into ${what}`);
      expect(closed.code, what).toMatch(/^(invalid_request|not_a_folder)$/);
    }
    expect(existsSync(join(workspace.outside, "evil"))).toBe(false);
    expect(existsSync(at("evil"))).toBe(false);
    expect(existsSync("/tmp/berth-evil")).toBe(false);
  });

  it("replaces nothing unless asked", async () => {
    mkdirSync(at("into"));
    writeFileSync(at("into/f"), "old");
    const zip = zipOf('z.writestr("f", "new")');
    expect((await unpack(zip)).closed).toEqual({ code: "exists", detail: '"f" is there already' });
    expect((await unpack(zip, "into", { overwrite: true })).closed).toEqual({});
    expect(readFileSync(at("into/f"), "utf8")).toBe("new");
  });

  it("that is cut, damaged, encrypted or more than it may be leaves no part of a file", async () => {
    const stored = zipOf('z.writestr("f", "x"*5000)');
    const deflated = zipOf('z.writestr("f", "x"*5000, zipfile.ZIP_DEFLATED)');
    const flipped = (zip: Buffer, at: number) => {
      const other = Buffer.from(zip);
      other[at] = (other[at] ?? 0) ^ 0xff;
      return other;
    };
    const directory = stored.indexOf(Buffer.from("PK\x01\x02"));
    const refused = [
      stored.subarray(0, 3000),
      stored.subarray(0, -1),
      flipped(stored, 100),
      flipped(deflated, 32),
      flipped(deflated, 40),
      // Its directory: encrypted, a method that nobody has, a size, a place.
      ...[8, 10, 24, 20, 42, 0].map((field) => flipped(stored, directory + field)),
    ];
    for (const [number, zip] of refused.entries())
      expect((await unpack(zip)).closed.code, `${number}`).toBe("invalid_request");
    const bomb = zipOf('z.writestr("f", "x"*50000000, zipfile.ZIP_DEFLATED)');
    expect((await unpack(bomb, "into", { maxBytes: 1_000_000 })).closed.code).toBe("payload_too_large");
    expect(readdirSync(at("into"))).toEqual([]);
    expect(readdirSync(at(".berth/uploads"))).toEqual([".gitignore"]);
  });
});
