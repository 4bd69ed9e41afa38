import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gitLogFields } from "@berth/protocol/link";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { LogReader } from "../src/git/log.ts";
import { PatchReader } from "../src/git/patch.ts";
import { BadOutput, StatusReader } from "../src/git/status.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "berth-git-"));
  git("init", "-q", "-b", "main");
});
afterEach(() => rmSync(folder, { recursive: true }));

function git(...argv: string[]): Buffer {
  const who = ["-c", "user.name=Ä B", "-c", "user.email=t@example.org", "-c", "core.quotePath=true"];
  return execFileSync("git", [...who, ...argv], { cwd: folder, env: { PATH: "/usr/bin:/bin", HOME: folder } });
}
const at = (name: Buffer | string) => Buffer.concat([Buffer.from(`${folder}/`), Buffer.from(name)]);
const latin = (name: Buffer | undefined) => name?.toString("latin1");

/** Feeds what git wrote in pieces of any length. */
function fed<R extends { push(chunk: Buffer): void; end(): void }>(reader: R, output: Buffer, step = output.length): R {
  for (let start = 0; start < output.length; start += step) reader.push(output.subarray(start, start + step));
  reader.end();
  return reader;
}

/** Names of any bytes but a slash and a NUL, which are no names of git's own. */
const oddName = fc
  .uint8Array({ minLength: 1, maxLength: 60 })
  .map((bytes) => Buffer.from(bytes.map((byte) => (byte === 0 || byte === 0x2f ? 0x20 : byte))))
  .filter((name) => ![".", "..", ".git"].includes(name.toString().toLowerCase()));
const hardNames = [
  "-rf",
  " ",
  "a b",
  "a\tb",
  "a\nb",
  'q"q',
  "\\",
  "é",
  "a/b c/d",
  "x".repeat(255),
  "b/x a/x",
  ".. ",
  "-- a",
];
const names = fc.uniqueArray(oddName, { minLength: 1, maxLength: 8, selector: (name) => name.toString("latin1") });

describe("git's status", () => {
  it("names every file by its bytes, however odd, wherever it is cut", () => {
    fc.assert(
      fc.property(names, fc.integer({ min: 1, max: 50 }), (odd, step) => {
        for (const name of odd) writeFileSync(at(name), "");
        const read = fed(new StatusReader(100), git("status", "--porcelain=v2", "-z", "--branch", "-uall"), step);
        expect(read.entries.map(({ path }) => latin(path)).sort()).toEqual(odd.map((name) => latin(name)).sort());
        for (const name of odd) rmSync(at(name));
      }),
      { numRuns: 25 },
    );
  });

  it("tells of renames, conflicts, both sides, the branch and its upstream", () => {
    for (const name of ["a", "b", "both"]) writeFileSync(at(name), `${name}\n`.repeat(10));
    git("add", "-A");
    git("commit", "-qm", "first");
    git("branch", "up");
    git("branch", "-u", "up");
    git("checkout", "-q", "-b", "other");
    writeFileSync(at("both"), "other\n");
    git("commit", "-qam", "other");
    git("checkout", "-q", "main");
    writeFileSync(at("both"), "main\n");
    git("commit", "-qam", "main");
    expect(() => git("merge", "-q", "other")).toThrow();
    git("mv", "a", "new name");
    writeFileSync(at("new name"), "a\n".repeat(11));
    rmSync(at("b"));
    const { entries, branch } = fed(new StatusReader(100), git("status", "--porcelain=v2", "-z", "--branch"));
    const found = new Map(entries.map((entry) => [entry.path.toString(), entry]));
    expect(found.get("both")).toMatchObject({ state: "conflicted", conflict: "UU", staged: null, unstaged: null });
    expect(found.get("new name")).toMatchObject({ state: "changed", staged: "renamed", unstaged: "modified" });
    expect(found.get("new name")?.from?.toString()).toBe("a");
    expect(found.get("b")).toMatchObject({ staged: null, unstaged: "deleted" });
    expect(branch).toMatchObject({ name: "main", upstream: "up", ahead: 1, behind: 0 });
    expect(branch.commit).toBe(git("rev-parse", "HEAD").toString().trim());
  });

  it("says when there is more, and takes nonsense for what it is", () => {
    const reader = new StatusReader(2);
    reader.push(Buffer.from("? a\0? b\0? c\0? d\0"));
    expect(reader.entries).toHaveLength(2);
    expect(reader.full).toBe(true);
    for (const nonsense of ["x\0", "1 M\0", "u ZZ\0", "? \0", "? a", "2 R. N... 1 2 3 4 5 R1 a\0"])
      expect(() => fed(new StatusReader(9), Buffer.from(nonsense)), nonsense).toThrow(BadOutput);
    expect(() => new StatusReader(9).push(Buffer.alloc(20_000, "a"))).toThrow(BadOutput);
  });
});

describe("git's diff", () => {
  const diff = (...more: string[]) =>
    git("diff", "--no-color", "--find-renames", "--src-prefix=a/", "--dst-prefix=b/", ...more);

  it("names every file by its bytes, whatever happened to it", () => {
    fc.assert(
      fc.property(names, fc.integer({ min: 1, max: 70 }), (odd, step) => {
        const all = [...odd, ...hardNames.map((name) => Buffer.from(name.replaceAll("/", "_")))];
        const unique = [...new Map(all.map((name) => [latin(name), name])).values()];
        for (const [index, name] of unique.entries()) writeFileSync(at(name), index % 2 ? `${index}\n`.repeat(20) : "");
        git("add", "-A");
        const added = fed(new PatchReader(), diff("--cached"), step);
        expect(added.files.map(({ path }) => latin(path)).sort()).toEqual(unique.map(latin).sort());
        expect(added.files.every(({ status }) => status === "added")).toBe(true);
        git("commit", "-qm", "x");
        for (const [index, name] of unique.entries()) {
          if (index % 3 === 0) rmSync(at(name));
          else if (index % 3 === 1) writeFileSync(at(name), "changed\n\0");
          else writeFileSync(at(name), "changed\n");
        }
        const changed = fed(new PatchReader(), diff(), step);
        expect(changed.files.map(({ path }) => latin(path)).sort()).toEqual(unique.map(latin).sort());
        git("rm", "-rqf", "--cached", ".");
        git("clean", "-qfdx");
        git("commit", "-qm", "none", "--allow-empty");
      }),
      { numRuns: 5 },
    );
  });

  it("has hunks that make the new file of the old one", () => {
    const line = fc.constantFrom(
      "",
      " ",
      "+",
      "-",
      "@@ -1 +1 @@",
      "diff --git a/x b/x",
      "--- a/x",
      "+++ b/x",
      "\\ No newline",
      "é",
    );
    const text = fc
      .array(line, { maxLength: 30 })
      .chain((lines) => fc.constantFrom(lines.join("\n"), `${lines.join("\n")}\n`));
    fc.assert(
      fc.property(text, text, (before, after) => {
        writeFileSync(at("f"), before);
        git("add", "f");
        writeFileSync(at("f"), after);
        const { files } = fed(new PatchReader(), diff("--unified=1000"));
        if (before === after) {
          expect(files).toEqual([]);
          return;
        }
        const [file] = files;
        const side = (sign: string) => {
          const parts: string[] = [];
          let last = "";
          for (const each of file?.hunks.flatMap(({ lines }) => lines) ?? []) {
            if (each.startsWith("\\")) {
              if (last === sign || last === " ") parts.push(String(parts.pop()).slice(0, -1));
              continue;
            }
            last = each.charAt(0);
            if (last === sign || last === " ") parts.push(`${each.slice(1)}\n`);
          }
          return parts.join("");
        };
        expect(side("-")).toBe(before);
        expect(side("+")).toBe(after);
      }),
      { numRuns: 40 },
    );
  });

  it("tells of renames, modes, types, links and binary files", () => {
    for (const name of ["mode", "was here", "type", "bin"]) writeFileSync(at(name), `${name}\n`.repeat(30));
    git("add", "-A");
    git("commit", "-qm", "first");
    execFileSync("chmod", ["+x", at("mode").toString()]);
    renameSync(at("was here"), at('is "here"'));
    writeFileSync(at('is "here"'), `${"was here\n".repeat(30)}more\n`);
    rmSync(at("type"));
    symlinkSync("bin", at("type"));
    writeFileSync(at("bin"), Buffer.alloc(100));
    git("add", "-A");
    const found = fed(new PatchReader(), diff("--cached")).files;
    const of = (name: string) => found.filter(({ path }) => path.toString() === name);
    expect(of("mode")).toMatchObject([{ status: "modified", oldMode: "100644", newMode: "100755", hunks: [] }]);
    expect(of('is "here"')).toMatchObject([
      { status: "renamed", from: Buffer.from("was here"), additions: 1, deletions: 0 },
    ]);
    expect(of("type").map(({ status, newMode }) => [status, newMode])).toEqual([
      ["deleted", null],
      ["added", "120000"],
    ]);
    expect(of("bin")).toMatchObject([{ binary: true, hunks: [] }]);
  });

  it("leaves out what is too large, and counts it", () => {
    for (const name of ["a", "b"]) writeFileSync(at(name), "line\n".repeat(1000));
    writeFileSync(at("long"), "x".repeat(100_000));
    mkdirSync(at("many"));
    for (let index = 0; index < 10; index += 1) writeFileSync(at(`many/${index}`), "x\n");
    git("add", "-A");
    const limits = { files: 8, fileLines: 100_000, fileBytes: 1_000_000, bytes: 8_000 };
    const reader = new PatchReader(limits);
    reader.push(diff("--cached"));
    expect(reader.full).toBe(true);
    expect(reader.files).toHaveLength(8);
    expect(reader.files[0]).toMatchObject({ tooLarge: false, additions: 1000 });
    expect(reader.files[1]).toMatchObject({ tooLarge: true, additions: 1000, hunks: [] });
    expect(reader.files[2]).toMatchObject({ tooLarge: true, additions: 1 });
    expect(reader.files[3]).toMatchObject({ tooLarge: false, additions: 1 });
  });
});

describe("git's log", () => {
  it("has messages and names as they are", () => {
    const messages = ["one", "subject\n\nbody\n\nmore", "ü ", "x".repeat(5000)];
    for (const message of messages) git("commit", "-q", "--allow-empty", "-m", message);
    git("tag", "v1");
    const format = `--format=tformat:${gitLogFields.join("%n")}%n%B`;
    const { commits } = fed(new LogReader(), git("log", "-z", "--decorate=full", format), 7);
    expect(commits.map(({ subject, body }) => [subject, body])).toEqual([
      ["x".repeat(5000), ""],
      ["ü", ""],
      ["subject", "body\n\nmore"],
      ["one", ""],
    ]);
    expect(commits[0]).toMatchObject({
      author: { name: "Ä B", email: "t@example.org" },
      refs: ["refs/heads/main", "refs/tags/v1"],
    });
    expect(commits[0]?.parents).toEqual([commits[1]?.commit]);
    expect(() => fed(new LogReader(), Buffer.from("abc\0"))).toThrow(BadOutput);
  });
});

describe("an agent's own invention of git's words", () => {
  it("is read to an end, or refused as such, and never more than that", () => {
    const words = fc.constantFrom(
      ...'diff --git a/x b/x|diff --git|@@ -1,2 +3 @@|@@ -9999999999,1 +1 @@|--- a/x|+++ "b/|rename from x|new file mode 1|+|-| |\\|? |1 |2 |u |# branch.ab +1 -|* Unmerged path |diff --cc y|\0|\n|"a\\777"'.split(
        "|",
      ),
    );
    const bytes = fc.oneof(
      words.map((word) => Buffer.from(word)),
      fc.uint8Array({ maxLength: 20 }).map((each) => Buffer.from(each)),
    );
    const text = fc
      .array(fc.oneof(bytes, fc.constant(Buffer.from("\n"))), { maxLength: 60 })
      .map((parts) => Buffer.concat(parts));
    fc.assert(
      fc.property(text, fc.integer({ min: 1, max: 40 }), (output, step) => {
        for (const reader of [new StatusReader(10), new PatchReader(), new LogReader()]) {
          try {
            fed(reader, output, step);
          } catch (error) {
            expect(error).toBeInstanceOf(BadOutput);
          }
        }
      }),
      { numRuns: 2000 },
    );
  });
});
